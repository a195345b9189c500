/** The rows and answers of the wire, as docs/events.md and the OpenAPI document describe them. */

export type ConversationStatus = 'open' | 'pending' | 'snoozed' | 'resolved';
export type Role = 'admin' | 'agent';
export type MessageKind = 'message' | 'note';
export type Direction = 'inbound' | 'outbound';
export type MessageStatus = 'received' | 'queued' | 'sent' | 'delivered' | 'read' | 'failed';

export interface LastMessage {
  id: string;
  kind: MessageKind;
  direction: Direction;
  preview: string;
  authorName: string;
  at: string;
}

export interface Conversation {
  id: string;
  clinicId: number;
  contact: { id: string; name: string; address: string };
  channel: { id: string; kind: string };
  status: ConversationStatus;
  snoozedUntil?: string;
  assigneeId?: string;
  labels: string[];
  lastMessage?: LastMessage;
  lastSeq: number;
  inboundCount: number;
  waitingSince?: string;
  createdAt: string;
  version: number;
  deleted?: boolean;
}

export interface Attachment {
  id: string;
  kind: string;
  mimeType: string;
  size?: number;
  name?: string;
  status: string;
}

export interface Message {
  id: string;
  conversationId: string;
  kind: MessageKind;
  direction: Direction;
  author: { type: 'contact' | 'member' | 'system'; id: string; name: string };
  body: string;
  attachments: Attachment[];
  replyTo?: string;
  clientKey?: string;
  status: MessageStatus;
  failure?: { code: string; message: string };
  ordinal?: number;
  seq: number;
  version: number;
  createdAt: string;
  editedAt?: string;
  deleted?: boolean;
}

/** How far a member has read a conversation. A smaller `upTo` than before marks as unread. */
export interface ReadMark {
  conversationId: string;
  memberId: string;
  upTo: number;
  inboundRead: number;
  version: number;
}

/** Newest first; `before` asks for the page that follows, null when this was the last. */
export interface Page<Row> {
  items: Row[];
  before: string | null;
  seq: number;
}

export interface ConversationPage extends Page<Conversation> {
  /** The member's own marks in these conversations. */
  reads?: ReadMark[];
}

/** Everything that changed since a cursor, as current rows. */
export interface Delta {
  cursor: string;
  reset?: boolean;
  more?: boolean;
  clinic?: ClinicProfile;
  conversations: Conversation[];
  messages: Message[];
  reads?: ReadMark[];
}

/** A colleague. Who is not `active` may not in any more; what they wrote stays theirs. */
export interface ClinicMember {
  id: string;
  name: string;
  role: Role;
  active: boolean;
}

/** `colour` is `#rrggbb`. */
export interface Label {
  name: string;
  colour: string;
}

/** `shortcut` is what is typed after the slash. */
export interface CannedReply {
  shortcut: string;
  title: string;
  body: string;
}

/** `day`: 1 is Monday, 7 Sunday; `HH:MM` local time, `24:00` ends a day. */
export interface OpenHours {
  day: number;
  opens: string;
  closes: string;
}

/** What a clinic keeps, as one versioned object. */
export interface ClinicProfile {
  id: number;
  name: string;
  members: ClinicMember[];
  labels: Label[];
  cannedReplies: CannedReply[];
  waitingLimitMinutes?: number;
  hours?: { timeZone: string; weekly: OpenHours[] };
  version: number;
}

export interface Member {
  id: string;
  name: string;
  email: string;
}

export interface Clinic {
  id: number;
  name: string;
  role: Role;
}

export interface Me {
  member: Member;
  clinics: Clinic[];
  /** Somebody else chose the password: it should be changed. */
  passwordTemporary?: boolean;
  expiresAt: string;
}

export interface NewMessage {
  clientKey: string;
  body: string;
  kind: MessageKind;
  replyTo?: string;
  /** seq of the newest message the author had seen. */
  expectedSeq?: number;
}

/** What an update names changes; what is absent stays. */
export interface ConversationChange {
  /** `null` takes the assignment away. */
  assigneeId?: string | null;
  status?: ConversationStatus;
  snoozedUntil?: string;
  labels?: string[];
}

/** Where in `message.body` the words stand, in Unicode code points (a JavaScript string counts an emoji as two). */
export interface Highlight {
  start: number;
  end: number;
}

/** A message with the words asked for; or, without highlights, the newest of the contact whose name has them. */
export interface SearchHit {
  message: Message;
  conversation: Conversation;
  highlights: Highlight[];
}

export interface SearchPage {
  items: SearchHit[];
  before: string | null;
  seq: number;
}

export interface ReadOrder {
  clientKey: string;
  conversationId: string;
  upTo: number;
}
