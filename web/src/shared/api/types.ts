/** The rows and answers of the wire by the names the screen has for them; schema.d.ts is made of the OpenAPI document. */
import type { components, operations } from './schema';

type Schemas = components['schemas'];
type Body<Operation extends keyof operations> = operations[Operation] extends {
  requestBody: { content: { 'application/json': infer Order } };
}
  ? Order
  : never;

export type Conversation = Schemas['Conversation'];
export type ConversationStatus = Conversation['status'];
export type LastMessage = Schemas['LastMessage'];
export type Message = Schemas['Message'];
export type MessageKind = Message['kind'];
export type Attachment = Schemas['Attachment'];
/** How far a member has read a conversation. A smaller `upTo` than before marks as unread. */
export type ReadMark = Schemas['ReadMark'];
export type ConversationPage = Schemas['ConversationPage'];
export type SearchPage = Schemas['SearchPage'];
export type SearchHit = SearchPage['items'][number];
/** Where in `message.body` the words stand, in Unicode code points (a JavaScript string counts an emoji as two). */
export type Highlight = SearchHit['highlights'][number];
/** Everything that changed since a cursor, as current rows. */
export type Delta = Schemas['Delta'];

/** What a clinic keeps, as one versioned object. */
export type ClinicProfile = Schemas['Clinic'];
export type ClinicMember = Schemas['ClinicMember'];
export type Label = Schemas['Label'];
export type CannedReply = Schemas['CannedReply'];
export type OpenHours = Schemas['OpenHours'];
export type ClinicChange = Omit<Body<'updateClinic'>, 'clientKey' | 'expectedVersion'>;
export type MemberDetails = Schemas['MemberDetails'];
export type Role = ClinicMember['role'];
export type Channel = Schemas['ChannelDetails'];
export type ChannelSecrets = Schemas['ChannelSecrets'];
export type NewChannel = Omit<Body<'addChannel'>, 'clientKey'>;
export type ChannelChange = Omit<Body<'updateChannel'>, 'clientKey'>;

export type Me = Schemas['Me'];
export type Member = Me['member'];
export type Clinic = Me['clinics'][number];

export type NewMessage = Body<'sendMessage'>;
/** What an update names changes; what is absent stays. */
export type ConversationChange = Omit<
  Body<'updateConversation'>,
  'clientKey' | 'expectedVersion' | 'snoozedUntil'
> & { snoozedUntil?: string };
export type ReadOrder = Body<'markRead'> & { conversationId: string };

/** Newest first; `before` asks for the page that follows, null when this was the last. */
export interface Page<Row> {
  items: Row[];
  before: string | null;
  seq: number;
}
