/** Who is signed in, as the server's cookie says. The token in login's answer is not for us: the cookie is. */

import { answerOf, api } from '@/shared/api/client';
import { type ApiError, asApiError } from '@/shared/api/errors';
import type { Me } from '@/shared/api/types';
import { Listeners } from '@/shared/lib/listeners';
import { wipe } from '@/shared/lib/shelf';
import type { Tabs } from './tabs';

export type SessionState =
  | { phase: 'starting' }
  | { phase: 'unreachable'; error: ApiError }
  | { phase: 'signedOut'; ended: boolean }
  | { phase: 'signedIn'; me: Me };

export class Session {
  readonly #listeners = new Listeners();
  readonly #tabs: Tabs | undefined;
  #state: SessionState = { phase: 'starting' };

  constructor(tabs?: Tabs) {
    this.#tabs = tabs;
    tabs?.heard(({ kind, memberId }) => {
      const own = this.#memberId === memberId;
      if (kind === 'left' && own) this.#set({ phase: 'signedOut', ended: false });
      if (kind === 'entered' && !own) void this.begin(); // the cookie is another's now: so is this screen
    });
  }

  getSnapshot = () => this.#state;
  subscribe = this.#listeners.add;

  /** Asks the server who we are. */
  async begin() {
    try {
      this.#set({ phase: 'signedIn', me: await answerOf(api.GET('/api/v1/me')) });
    } catch (thrown) {
      const error = asApiError(thrown);
      if (error.code === 'unauthenticated') this.#set({ phase: 'signedOut', ended: false });
      else this.#set({ phase: 'unreachable', error });
    }
  }

  /** The member's clinics may be others than before. If the server does not say, all stays as it is. */
  renew = async () => {
    const memberId = this.#memberId;
    try {
      const me = await answerOf(api.GET('/api/v1/me'));
      if (memberId !== undefined && memberId === this.#memberId) this.#set({ phase: 'signedIn', me });
    } catch (thrown) {
      if (asApiError(thrown).code === 'unauthenticated') this.ended();
    }
  };

  /** Throws ApiError: `invalid_credentials`, `rate_limited`, … */
  async signIn(email: string, password: string) {
    const answer = await answerOf(api.POST('/api/v1/auth/login', { body: { email, password } }));
    const { member, clinics, passwordTemporary, expiresAt } = answer; // without the token
    const me = { member, clinics, expiresAt, ...(passwordTemporary && { passwordTemporary }) };
    this.#set({ phase: 'signedIn', me });
    this.#tabs?.tell({ kind: 'entered', memberId: member.id });
  }

  /**
   * Leaves every tab, and takes along what this browser kept of the member: drafts, what was not sent. Even if the server
   * does not answer; the session then ends by its own expiry.
   */
  async signOut() {
    const memberId = this.#memberId;
    try {
      await answerOf(api.POST('/api/v1/auth/logout'));
    } catch {
      // nothing the member could do about it
    }
    this.#set({ phase: 'signedOut', ended: false });
    if (memberId === undefined) return;
    this.#tabs?.tell({ kind: 'left', memberId });
    wipe(memberId);
  }

  get #memberId() {
    return this.#state.phase === 'signedIn' ? this.#state.me.member.id : undefined;
  }

  /** The server refused this session: revoked or expired. */
  ended = () => {
    if (this.#state.phase === 'signedIn') this.#set({ phase: 'signedOut', ended: true });
  };

  #set(state: SessionState) {
    this.#state = state;
    this.#listeners.tell();
  }
}
