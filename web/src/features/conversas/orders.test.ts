import { expect, it } from 'vitest';
import { conversation } from './fixtures';
import { changesByConversation, type NewOrder, type Order, overlaid } from './orders';

const order = (given: NewOrder, state: Order['state'] = 'sending'): Order => ({
  ...given,
  clientKey: 'key',
  createdAt: '2026-11-23T13:00:00.000Z',
  state,
});
const update = (change: (Order & { type: 'update' })['change'], state?: Order['state']) =>
  order({ type: 'update', conversationId: 'a', change }, state);

it('without orders it is the very same row', () => {
  const row = conversation('a', 1);
  expect(overlaid(row, [])).toBe(row);
  expect(overlaid(row, [order({ type: 'rename', conversationId: 'b', name: 'B' })])).toBe(row);
  expect(overlaid(row, [update({ status: 'resolved' }, 'failed')])).toBe(row);
});

it('shows orders one after the other', () => {
  const row = conversation('a', 1, { assigneeId: 'bia', labels: ['retorno'] });
  const shown = overlaid(row, [
    update({ status: 'snoozed', snoozedUntil: '2026-12-01T11:00:00.000Z' }),
    update({ assigneeId: 'ana', labels: [] }),
    order({ type: 'rename', conversationId: 'a', name: 'Maria' }),
  ]);
  expect(shown).toEqual({
    ...row,
    status: 'snoozed',
    snoozedUntil: '2026-12-01T11:00:00.000Z',
    assigneeId: 'ana',
    labels: [],
    contact: { ...row.contact, name: 'Maria' },
  });
});

it('nobody’s has no assignee, and only the snoozed have an end', () => {
  const row = conversation('a', 1, {
    assigneeId: 'bia',
    status: 'snoozed',
    snoozedUntil: '2026-12-01T11:00:00.000Z',
  });
  expect(overlaid(row, [update({ assigneeId: null })])).not.toHaveProperty('assigneeId');
  expect(overlaid(row, [update({ labels: ['x'] })])).toMatchObject({
    assigneeId: 'bia',
    snoozedUntil: row.snoozedUntil,
  });
  expect(overlaid(row, [update({ status: 'open' })])).not.toHaveProperty('snoozedUntil');
});

it('messages change no row', () => {
  const said = order({ type: 'message', conversationId: 'a', body: 'oi', kind: 'message' });
  expect(changesByConversation([said]).size).toBe(0);
  expect(changesByConversation([said, update({ status: 'resolved' })]).get('a')).toHaveLength(1);
});
