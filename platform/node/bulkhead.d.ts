/**
 * What an extension sees of Bulkhead.
 *
 *     import type { ExtensionContext } from './bulkhead';
 *     export async function activate(context: ExtensionContext) { … }
 */

/** Any value that JSON can hold, at most 62 levels deep. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/** Something that can be taken back; doing so twice is harmless. */
export interface Disposable {
  dispose(): unknown;
}

/** What a command handler may want to know of the call it serves. */
export interface CommandCall {
  /** Aborted when the backend cancels the call. A reply is owed all the same. */
  readonly signal: AbortSignal;
  /** Sends a value ahead of the result. Dropped while the backend does not keep up. */
  readonly progress: (value: Json) => void;
}

/**
 * Returns the command's result, or a promise of it; `undefined` arrives as null. What it throws
 * arrives as an error with its message and, if that is a string, its `code`.
 */
export type CommandHandler = (args: any[], call: CommandCall) => unknown;

export interface RequestOptions {
  /** Milliseconds until the request fails with `request_timeout`; without it, it waits. */
  timeoutMs?: number;
  /** Aborting it fails the request with `request_cancelled` and the name `AbortError`. */
  signal?: AbortSignal;
}

/**
 * Why a request failed. Every other member of the error payload is a property too: a denied request
 * says which `permission` it lacks, a limited one after how many milliseconds to try again.
 */
export interface RequestError extends Error {
  readonly code:
    | 'permission_denied'
    | 'path_denied'
    | 'rate_limited'
    | 'unsupported_request'
    | 'overloaded'
    | 'payload_too_large'
    | 'invalid_payload'
    | 'invalid_request'
    | 'request_timeout'
    | 'request_cancelled'
    | (string & {});
  readonly permission?: string;
  readonly retry_after_ms?: number;
}

export type FileType = 'file' | 'directory' | 'symlink' | 'other';

/** Sends a log entry; one that the backend does not take goes to stderr. */
export type LogFunction = (message: string, fields?: { [key: string]: Json }) => void;

export interface ExtensionContext {
  /** `publisher.name` of package.json, `name` without a publisher, or a single file's stem. */
  readonly extensionId: string;
  /** The package.json, frozen; of a single file: an empty object. */
  readonly manifest: Readonly<Record<string, any>>;

  readonly commands: {
    /** Offers a command. Throws `command_exists` if this extension has one of that name. */
    register(name: string, handler: CommandHandler): Disposable;
  };

  /** Asks the backend. Rejects with a {@link RequestError}. */
  request<Reply = any>(type: string, payload?: Json, options?: RequestOptions): Promise<Reply>;

  readonly log: {
    debug: LogFunction;
    info: LogFunction;
    warn: LogFunction;
    error: LogFunction;
  };

  /** Disposed after `deactivate`, the last one first. */
  readonly subscriptions: Disposable[];

  /** Reserved: this version's backend answers `unsupported_request`. Times are ms since 1970. */
  readonly fs: {
    readFile(path: string): Promise<Uint8Array>;
    readFile(path: string, encoding: 'utf8'): Promise<string>;
    writeFile(
      path: string,
      content: string | Uint8Array,
      options?: { create?: boolean; overwrite?: boolean },
    ): Promise<void>;
    stat(path: string): Promise<{ type: FileType; size: number; mtime: number }>;
    readDirectory(path: string): Promise<[name: string, type: FileType][]>;
    createDirectory(path: string): Promise<void>;
    rename(from: string, to: string): Promise<void>;
    copy(from: string, to: string): Promise<void>;
    delete(path: string, options?: { recursive?: boolean }): Promise<void>;
  };

  /** Reserved: this version's backend answers `unsupported_request`. */
  readonly workspace: {
    findFiles(
      include: string,
      options?: { exclude?: string; maxResults?: number },
    ): Promise<string[]>;
  };

  /** Reserved: this version's backend answers `unsupported_request`. */
  readonly secrets: {
    get(key: string): Promise<string | null>;
    set(key: string, value: string): Promise<void>;
    delete(key: string): Promise<void>;
    list(): Promise<string[]>;
  };
}

/** What an extension's main module exports. */
export interface Extension {
  activate(context: ExtensionContext): unknown;
  /** Called before the host ends; it has the policy's `stop.deactivate_timeout`. */
  deactivate?(): unknown;
}
