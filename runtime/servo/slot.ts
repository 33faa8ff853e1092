/**
 * A `ServoClient` that outlives the servo process behind it: whoever listens here goes on listening when a new process
 * has taken the place of a dead one. Nothing is carried over: a lease ends with its connection, `latest` is undefined
 * while nobody answers, and the new process decides what it is willing to do.
 */
import type { MonotonicNs } from "../../core/clock.js";
import { CerebellumError } from "../../core/errors.js";
import type { StopCategory } from "../../drivers/contract.js";
import type { Lease, ServoClient, ServoEvent, ServoInfo, ServoSnapshot, ServoStatistics } from "./api.js";

export class ServoSlot implements ServoClient {
  readonly #snapshotListeners = new Set<(snapshot: ServoSnapshot) => void>();
  readonly #eventListeners = new Set<(event: ServoEvent) => void>();
  #client: ServoClient;

  constructor(first: ServoClient) {
    this.#client = first;
    this.#listenTo(first);
  }

  /** Puts the connection to a new process in the place of one that has closed. */
  replace(client: ServoClient): void {
    this.#client = client;
    this.#listenTo(client);
  }

  get info(): ServoInfo {
    return this.#client.info;
  }

  /** Of the connection that is in place now. */
  get closed(): AbortSignal {
    return this.#client.closed;
  }

  latest(): ServoSnapshot | undefined {
    return this.#client.closed.aborted ? undefined : this.#client.latest();
  }

  positionAt(atNs: MonotonicNs): Float64Array | undefined {
    return this.#client.closed.aborted ? undefined : this.#client.positionAt(atNs);
  }

  onSnapshot(listener: (snapshot: ServoSnapshot) => void): () => void {
    this.#snapshotListeners.add(listener);
    return () => this.#snapshotListeners.delete(listener);
  }

  onEvent(listener: (event: ServoEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  acquireLease(name: string): Promise<Lease> {
    return this.#ask((client) => client.acquireLease(name));
  }

  enable(): Promise<void> {
    return this.#ask((client) => client.enable());
  }

  stop(category: StopCategory, reason: string): Promise<void> {
    return this.#ask((client) => client.stop(category, reason));
  }

  revokeLease(reason: string): Promise<void> {
    return this.#ask((client) => client.revokeLease(reason));
  }

  reset(): Promise<void> {
    return this.#ask((client) => client.reset());
  }

  teach(on: boolean): Promise<void> {
    return this.#ask((client) => client.teach(on));
  }

  statistics(): Promise<ServoStatistics> {
    return this.#ask((client) => client.statistics());
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #ask<T>(work: (client: ServoClient) => Promise<T>): Promise<T> {
    if (this.#client.closed.aborted) {
      throw new CerebellumError(
        "LINK_CLOSED",
        "The servo process does not answer",
        "`./cerebellum status` says whether it is being started again; the device keeps its last setpoint",
      );
    }
    return work(this.#client);
  }

  /** The listeners of a closed connection hear nothing more, so the old one needs no undo. */
  #listenTo(client: ServoClient): void {
    client.onSnapshot((snapshot) => {
      for (const listener of this.#snapshotListeners) listener(snapshot);
    });
    client.onEvent((event) => {
      for (const listener of this.#eventListeners) listener(event);
    });
  }
}
