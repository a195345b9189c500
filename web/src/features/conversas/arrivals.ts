/** Everything that can arrive from the server, and what each says by itself, before it is taken in. Pure. */
import type { ClinicPacket, ConversationListPacket, MessagePacket, ReadPacket } from '@/realtime/events';
import type {
  ClinicProfile,
  Conversation,
  ConversationPage,
  Delta,
  Message,
  Page,
  ReadMark,
} from '@/shared/api/types';
import type { Filter } from './filters';

/** What a delta was asked with. */
export interface Asked {
  readonly after?: string;
  readonly conversationIds: readonly string[];
}

export type MaybeDelta = { cursor: string } & Partial<Delta>;

export type Arrival =
  | { kind: 'conversationPage'; page: ConversationPage; before: string | null; life: number; filter?: Filter }
  | { kind: 'messagePage'; conversationId: string; page: Page<Message>; before: string | null; life: number }
  | { kind: 'clinicPacket'; packet: ConversationListPacket }
  | { kind: 'profilePacket'; packet: ClinicPacket }
  | { kind: 'tick'; seq: number }
  | { kind: 'profile'; clinic: ClinicProfile }
  | { kind: 'readPacket'; packet: ReadPacket }
  | { kind: 'conversationPacket'; packet: MessagePacket }
  | { kind: 'clinicAnswer'; asked: Asked; answer: MaybeDelta }
  | { kind: 'conversationAnswer'; conversationId: string; after?: string; answer: MaybeDelta }
  | { kind: 'message'; message: Message }
  | { kind: 'conversation'; conversation: Conversation }
  | { kind: 'read'; read: ReadMark };

/** The keys of commands whose effect an arrival shows; of a message also who wrote it. */
export function keysIn(arrival: Arrival): readonly { clientKey: string; authorId?: string }[] {
  switch (arrival.kind) {
    case 'message':
      return keysOf([arrival.message]);
    case 'conversationPacket': {
      const { clientKey, message } = arrival.packet;
      return [
        ...keysOf([message]),
        ...(clientKey === undefined || clientKey === message.clientKey ? [] : [{ clientKey }]),
      ];
    }
    case 'clinicPacket': {
      const { clientKey, conversation } = arrival.packet;
      // of a message it says the same as the conversation's room does, there with its author
      return clientKey === undefined || conversation.lastSeq === arrival.packet.seq ? [] : [{ clientKey }];
    }
    case 'messagePage':
      return keysOf(arrival.page.items);
    case 'clinicAnswer':
    case 'conversationAnswer':
      return keysOf(arrival.answer.messages ?? []);
    default:
      return [];
  }
}

const keysOf = (messages: readonly Message[]) =>
  messages.flatMap(({ clientKey, author }) => (clientKey ? [{ clientKey, authorId: author.id }] : []));

/** The only conversations whose rows or marks an arrival may change; undefined: any. */
export function changedBy(arrival: Arrival): readonly string[] | undefined {
  switch (arrival.kind) {
    case 'clinicPacket':
      return [arrival.packet.conversation.id];
    case 'conversation':
      return [arrival.conversation.id];
    case 'readPacket':
      return [arrival.packet.read.conversationId];
    case 'read':
      return [arrival.read.conversationId];
    default:
      return undefined;
  }
}
