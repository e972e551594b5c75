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
  /** The W3C traceparent of the call, if the backend traces it. Requests made meanwhile carry it. */
  readonly traceparent?: string;
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
  /** A W3C traceparent, in place of that of the call which is being served. */
  traceparent?: string;
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
    | 'limit_exceeded'
    | 'file_not_found'
    | 'file_exists'
    | 'file_not_a_directory'
    | 'file_is_a_directory'
    | 'directory_not_empty'
    | 'file_too_large'
    | 'file_unsupported'
    | 'file_unavailable'
    | 'secrets_unavailable'
    | 'secret_too_large'
    | 'audit_unavailable'
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

/**
 * A path, taken as it stands, or a `file:` URI, decoded once. A relative one is relative to the
 * first folder of the workspace, or without a workspace to the storage folder.
 */
export type FilePath = string | URL;

export interface Folders {
  readonly workspace: readonly string[];
  readonly extension: string;
  /** Kept from one start to the next. */
  readonly storage: string;
  readonly logs: string;
  /** Goes with the backend's run. */
  readonly temp: string;
}

/** `overflow`: some changes are missing. `gone`: what was watched is gone, and the watch ended. */
export interface FileChange {
  readonly type: 'created' | 'changed' | 'deleted' | 'overflow' | 'gone';
  readonly path: string;
}

export type FileType = 'file' | 'directory' | 'symlink' | 'other';

/** A stream of pieces; with the types of Node (`@types/node`) its `stream.Readable`, else any. */
// @ts-ignore: they need not be there
export type FileReadStream = import('node:stream').Readable;
/** The same: its `stream.Writable`. */
// @ts-ignore: they need not be there
export type FileWriteStream = import('node:stream').Writable;

export interface StreamOptions {
  /** Aborting it destroys the stream. */
  signal?: AbortSignal;
  /** Bytes that are held: 1 MiB unless it says otherwise. */
  highWaterMark?: number;
}

/** Sends a log entry; one that the backend does not take goes to stderr. */
export type LogFunction = (message: string, fields?: { [key: string]: Json }) => void;

export interface ExtensionContext {
  /** `publisher.name` of package.json, `name` without a publisher, or a single file's stem. */
  readonly extensionId: string;
  /** The package.json, frozen; of a single file: an empty object. */
  readonly manifest: Readonly<Record<string, any>>;
  /** The folders that the backend knows; `fs` reaches them as far as the policy allows. */
  readonly folders: Folders;

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

  /**
   * Files, through the backend: shaped like `vscode.workspace.fs`. Needs fileSystem.read, .write
   * and .delete, and a path rule of the policy for each path.
   */
  readonly fs: {
    readFile(path: FilePath): Promise<Uint8Array>;
    /** Rejects with `file_unsupported` if the file is not UTF-8. */
    readFile(path: FilePath, encoding: 'utf8'): Promise<string>;
    /**
     * Whole or not at all. Creates and replaces unless the options say otherwise. Bytes must not
     * change until it resolves: they are not copied.
     */
    writeFile(
      path: FilePath,
      content: string | Uint8Array,
      options?: { create?: boolean; overwrite?: boolean },
    ): Promise<void>;
    /** For what is longer than a frame, or may be. A piece is read when there is room for it. */
    createReadStream(path: FilePath, options?: StreamOptions): FileReadStream;
    /**
     * The same for writing. `finish` says that the file is there, whole; a stream that is destroyed
     * before leaves nothing.
     */
    createWriteStream(
      path: FilePath,
      options?: StreamOptions & { create?: boolean; overwrite?: boolean },
    ): FileWriteStream;
    /** Of what a link leads to. Times are ms since 1970. */
    stat(path: FilePath): Promise<{ type: FileType; size: number; mtime: number }>;
    readDirectory(path: FilePath): Promise<[name: string, type: FileType][]>;
    /** Also makes the folders above it; one that is there already is no failure. */
    createDirectory(path: FilePath): Promise<void>;
    rename(from: FilePath, to: FilePath, options?: { overwrite?: boolean }): Promise<void>;
    copy(from: FilePath, to: FilePath, options?: { overwrite?: boolean }): Promise<void>;
    delete(path: FilePath, options?: { recursive?: boolean }): Promise<void>;
    /** Resolves once changes are seen; dispose of it to end it. */
    watch(
      path: FilePath,
      listener: (changes: FileChange[]) => void,
      options?: { recursive?: boolean },
    ): Promise<Disposable>;
  };

  /** Needs workspace.read. */
  readonly workspace: {
    /** Files of the workspace's folders, by a glob of the path below the folder. */
    findFiles(
      include: string,
      options?: { exclude?: string; maxResults?: number },
    ): Promise<string[]>;
  };

  /**
   * What only this extension may read. Needs secrets.read and .write. A key has up to 256 bytes, a
   * value up to 64 KiB.
   */
  readonly secrets: {
    get(key: string): Promise<string | null>;
    set(key: string, value: string): Promise<void>;
    /** Whether there was one. */
    delete(key: string): Promise<boolean>;
    list(): Promise<string[]>;
  };
}

/** What an extension's main module exports. */
export interface Extension {
  activate(context: ExtensionContext): unknown;
  /** Called before the host ends; it has the policy's `stop.deactivate_timeout`. */
  deactivate?(): unknown;
}
