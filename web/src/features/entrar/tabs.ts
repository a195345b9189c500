/** What the tabs of one browser tell each other: the cookie is theirs together, so who leaves, leaves everywhere. */
export type Notice = { kind: 'left'; memberId: string } | { kind: 'entered'; memberId: string };

export interface Tabs {
  tell(notice: Notice): void;
  heard(listener: (notice: Notice) => void): void;
}

export function tabsOfThisBrowser(): Tabs {
  const channel = new BroadcastChannel('recado.session');
  return {
    tell: (notice) => channel.postMessage(notice),
    heard: (listener) => {
      channel.onmessage = ({ data }: MessageEvent<Notice>) => listener(data);
    },
  };
}
