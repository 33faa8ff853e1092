/** A WebSocket as the pages use one, so that a program in Node can act as a page. */

export interface SocketEvents {
  readonly onOpen: () => void;
  readonly onText: (text: string) => void;
  readonly onBytes: (bytes: Uint8Array) => void;
  /** Once, after an end of any kind. */
  readonly onClose: () => void;
}

export interface PageSocket {
  readonly isOpen: boolean;
  readonly bufferedBytes: number;
  send(text: string): void;
  close(): void;
}

/** Calls no event before it has returned. */
export type OpenSocket = (url: string, events: SocketEvents) => PageSocket;
