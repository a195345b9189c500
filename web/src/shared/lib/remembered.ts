/** Choices that belong to this computer (never patient words). Where storage is forbidden they last until the tab closes. */
export function remember(name: string, value: string) {
  try {
    localStorage.setItem(`recado.${name}`, value);
  } catch {
    // forbidden or full: not worth a word on the screen
  }
}

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`recado.${name}`);
  } catch {
    return null;
  }
}
