/** Rows of a form that have no identity of their own get one, so that removing one moves no other's focus. */
import { randomId } from '@/shared/lib/id';

export type Keyed<Row> = Row & { readonly key: string };

export const keyed = <Row extends object>(row: Row): Keyed<Row> => ({ ...row, key: randomId() });

export function unkeyed<Row extends object>({ key: _, ...row }: Keyed<Row>): Omit<Keyed<Row>, 'key'> {
  return row;
}
