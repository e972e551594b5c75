'use strict';

// Requests and replies in both directions, over one stream or over two. Every request of the
// backend gets exactly one reply; every request of ours ends once.

const {
  AbortController,
  byteLength,
  clearTimeout,
  parse,
  setTimeout,
  stringify,
} = require('./primordials.js');
const { encode, Encoded } = require('./encode.js');
const { RequestError, isAbortError, stackOf, toPayload } = require('./errors.js');
const { OpenTable } = require('./open_table.js');

// A type has at most 128 bytes, and so has its reply's, which is nine longer.
const MAX_TYPE = 128 - '-response'.length;
const REPLY_SUFFIX = /-(?:response|error|partial)$/;
// The backend's cap, unless its answer to the ready message says another.
const MAX_OPEN = 1024;
// Types are few; this only bounds what a peer that makes them up can make us keep.
const MAX_CACHED_TYPES = 1024;

// Node fires a longer timer at once.
const MAX_TIMER_MS = 2 ** 31 - 1;

// W3C Trace Context; ids of zeros are none.
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

const BEFORE_TYPE = '","type":"';
const NO_TYPE = { type: '', between: '' };

const PLAIN = /^[\w.:/-]*$/;
const CLOSING_BRACE = 0x7d;

function quote(text) {
  return PLAIN.test(text) ? `"${text}"` : stringify(text);
}

/** What a handler may want to know of the request it serves. Both members cost only when used. */
class Call {
  #channel;
  #controller = null;
  #cancelled = false;
  answered = false;
  key = 0; // among those that did not end at once

  /** `idText` is the id as it stands in JSON. */
  constructor(channel, id, idText, type, traceparent) {
    this.#channel = channel;
    this.id = id;
    this.idText = idText;
    this.type = type;
    this.traceparent = traceparent;
  }

  /** Aborted when the backend cancels the request. */
  get signal() {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#cancelled) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** A function that sends a value ahead of the reply. */
  get progress() {
    return value => this.#channel.sendProgress(this, value);
  }

  get cancelled() {
    return this.#cancelled;
  }

  cancel() {
    this.#cancelled = true;
    this.#controller?.abort();
  }
}

class Channel {
  #incoming; // carries the backend's requests and our replies
  #outgoing; // carries our requests and the backend's replies
  #handlers = new Map();
  #notices = new Map(); // type to the function that takes the backend's notifications
  #running = new OpenTable(); // the Calls of the backend's requests that did not end at once
  #open = new OpenTable(); //    {resolve, reject, …} of our own requests; an id is the key as text
  #maxOpen = MAX_OPEN;
  #takesAttachments = false;
  #requestHeads = new Map(); // type to the text between a request's id and its payload
  #replyHeads = new Map(); //   type to the texts between a reply's id and its payload
  #last = NO_TYPE; //           the last type that came, and the text around it
  #onBreach;
  #onHandlerError;

  /** `incoming` and `outgoing` are FrameStreams, and may be the same. */
  constructor({ incoming, outgoing, onBreach, onHandlerError }) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#onBreach = onBreach;
    this.#onHandlerError = onHandlerError;
  }

  /** Answers requests of a type with what `handler(payload, call)` returns or resolves to. */
  serve(type, handler) {
    this.#handlers.set(type, handler);
  }

  /** Calls `listener(payload)` with each notification of a type. */
  onNotice(type, listener) {
    this.#notices.set(type, listener);
  }

  /** Takes over what the backend says: its limits, and whether it takes attachments. */
  agree({ frame, in_flight: inFlight, attachments }) {
    if (Number.isSafeInteger(frame) && frame > 0) {
      this.#incoming.limit = this.#outgoing.limit = frame;
    }
    if (Number.isSafeInteger(inFlight) && inFlight > 0) this.#maxOpen = inFlight;
    if (attachments === true) {
      this.#takesAttachments = true;
      this.#incoming.allowAttachments();
      this.#outgoing.allowAttachments();
    }
  }

  /** The longest frame, without its prefix. */
  get frameLimit() {
    return this.#outgoing.limit;
  }

  /** Whether both sides may send bytes beside the JSON. */
  get takesAttachments() {
    return this.#takesAttachments;
  }

  /** Hands all that was sent to the kernel, as far as it takes it. */
  flush() {
    this.#incoming.flush();
    this.#outgoing.flush();
  }

  // ---- reading ----

  /**
   * One frame, at text[begin, end), and what is attached to it, if anything is. The backend writes
   * `{"id":"…","type":"…","payload":…}` in this order and mostly without escapes in id and type:
   * that is split by hand, so that only the payload is parsed. Anything else takes the long way to
   * the same place.
   */
  receive(text, begin, end, attachment) {
    if (text.startsWith('{"id":"', begin) && text.charCodeAt(end - 1) === CLOSING_BRACE) {
      const idAt = begin + '{"id":"'.length;
      const idEnd = text.indexOf('"', idAt);
      const found = this.#typeAt(text, idEnd);
      const payloadAt = idEnd + found.between.length;
      const id = text.substring(idAt, idEnd);
      if (found !== NO_TYPE && payloadAt < end && !id.includes('\\')) {
        const payload = this.#parsed(text.substring(payloadAt, end - 1));
        if (payload !== undefined) {
          return this.#message(id, `"${id}"`, found.type, payload, undefined, attachment);
        }
      }
    }
    const message = this.#parsed(text.substring(begin, end));
    if (typeof message?.id !== 'string' || typeof message.type !== 'string') {
      return this.#onBreach('a frame that is not a message');
    }
    const { id, type, payload, traceparent } = message;
    return this.#message(id, quote(id), type, payload, traceparent, attachment);
  }

  /**
   * The type of which `between` stands at text[at], from the id's closing quote to the payload;
   * NO_TYPE if something else stands there. Mostly it is the same as last time, and then the same
   * text as well, so that nothing has to be cut out and looked up by its letters.
   */
  #typeAt(text, at) {
    if (this.#last !== NO_TYPE && text.startsWith(this.#last.between, at)) return this.#last;
    const typeAt = at + BEFORE_TYPE.length;
    const typeEnd = text.indexOf('"', typeAt);
    const type = text.substring(typeAt, typeEnd);
    const between = `${BEFORE_TYPE}${type}","payload":`;
    if (type.includes('\\') || !text.startsWith(between, at)) return NO_TYPE;
    // Cut out of the short text, since a part of a long one keeps all of it.
    this.#last = { type: between.substring(BEFORE_TYPE.length, typeEnd - at), between };
    return this.#last;
  }

  #parsed(text) {
    try {
      return parse(text);
    } catch {
      return undefined;
    }
  }

  #message(id, idText, type, payload, traceparent, attachment) {
    const handler = this.#handlers.get(type);
    if (handler === undefined && REPLY_SUFFIX.test(type)) {
      return this.#settle(id, type, payload, attachment);
    }
    if (id === '') return this.#notice(type, payload);
    const call = new Call(this, id, idText, type, traceparent);
    if (traceparent === undefined) return this.#answer(call, handler ?? refuse, payload);
    return traces().run(traceparent, () => this.#answer(call, handler ?? refuse, payload));
  }

  #notice(type, payload) {
    if (type === 'cancel') this.#running.search(call => call.id === payload?.id)?.cancel();
    else this.#notices.get(type)?.(payload);
  }

  #answer(call, handler, payload) {
    let result;
    try {
      result = handler(payload, call);
      if (typeof result?.then !== 'function') return this.#reply(call, result);
      result = Promise.resolve(result); // settles once, whatever kind of promise that was
    } catch (error) {
      return this.#fail(call, error);
    }
    this.#running.add(call);
    result.then(
      value => this.#reply(call, value),
      error => this.#fail(call, error),
    );
  }

  #settle(id, type, payload, attachment) {
    const request = this.#open.at(Number(id));
    if (request === undefined) return; // ended before its reply came
    if (type === request.type + '-response') {
      if (attachment !== undefined) payload.content = attachment;
      this.#end(request).resolve(payload);
    } else if (type === request.type + '-error') {
      this.#end(request).reject(RequestError.fromPayload(payload));
    }
  }

  // ---- writing ----

  #reply(call, value) {
    let body;
    try {
      body = value instanceof Encoded ? value.text : encode(value, 'invalid_result');
    } catch (error) {
      return this.#fail(call, error);
    }
    this.#finish(call);
    if (!this.#respond(call, 'response', body)) {
      const error = 'the result is longer than a frame may be';
      this.#respond(call, 'error', stringify({ error, code: 'payload_too_large' }));
    }
  }

  #fail(call, error) {
    const payload = toPayload(error, 'extension_error');
    if (call.cancelled && isAbortError(error)) payload.code = 'request_cancelled';
    this.#finish(call);
    this.#respond(call, 'error', encode(payload));
    if (payload.code === 'extension_error') this.#onHandlerError(call, stackOf(error));
  }

  #finish(call) {
    call.answered = true;
    if (call.key !== 0) this.#running.remove(call);
  }

  #respond(call, suffix, body) {
    let heads = this.#replyHeads.get(call.type);
    if (heads === undefined) {
      const head = suffix => `,"type":${quote(call.type + suffix)},"payload":`;
      heads = { response: head('-response'), error: head('-error'), partial: head('-partial') };
      if (this.#replyHeads.size < MAX_CACHED_TYPES) this.#replyHeads.set(call.type, heads);
    }
    return this.#incoming.send(`{"id":${call.idText}${heads[suffix]}`, body);
  }

  /** Progress is a courtesy: it is dropped after the reply, and while the backend does not read. */
  sendProgress(call, value) {
    if (call.answered || this.#incoming.congested) return;
    const body = encode(value, 'invalid_payload');
    if (!this.#respond(call, 'partial', body)) {
      throw new RequestError('the value is longer than a frame may be', 'payload_too_large');
    }
  }

  // ---- our own requests ----

  /**
   * Asks the backend; rejects with a RequestError. It carries the traceparent of the request that
   * is being served, unless the options name one. The code is the backend's, or one of ours:
   * overloaded, payload_too_large, invalid_payload, invalid_request, request_timeout,
   * request_cancelled. A few types take an attachment: bytes that must not change until the answer
   * is there. The answer's attachment is its payload's `content`.
   */
  request(type, payload = {}, options = {}, attachment = undefined) {
    const { timeoutMs, signal, traceparent = currentTrace() } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw cancelled(signal);
      if (this.#open.size >= this.#maxOpen || this.#outgoing.congested) {
        throw new RequestError('too many requests are open', 'overloaded');
      }
      const head = this.#requestHead(type, traceparent);
      const body = encode(payload, 'invalid_payload');
      const request = {
        key: 0,
        type,
        resolve,
        reject,
        timer: undefined,
        signal,
        onAbort: undefined,
      };
      this.#open.add(request);
      if (!this.#outgoing.send(`{"id":"${request.key}${head}`, body, attachment)) {
        this.#open.remove(request);
        throw new RequestError('the payload is longer than a frame may be', 'payload_too_large');
      }
      if (timeoutMs !== undefined) {
        const late = () => new RequestError(`no answer within ${timeoutMs} ms`, 'request_timeout');
        const end = () => this.#end(request).reject(late());
        request.timer = setTimeout(end, Math.min(timeoutMs, MAX_TIMER_MS));
      }
      if (signal) {
        request.onAbort = () => this.#end(request).reject(cancelled(signal));
        signal.addEventListener('abort', request.onAbort, { once: true });
      }
    });
  }

  #end(request) {
    this.#open.remove(request);
    if (request.timer !== undefined) clearTimeout(request.timer);
    request.signal?.removeEventListener('abort', request.onAbort);
    return request;
  }

  #requestHead(type, traceparent) {
    if (traceparent !== undefined) {
      checkType(type);
      if (!TRACEPARENT.test(traceparent)) {
        throw new RequestError('the traceparent is not one of W3C Trace Context', 'invalid_request');
      }
      return `","type":${quote(type)},"traceparent":"${traceparent}","payload":`;
    }
    let head = this.#requestHeads.get(type);
    if (head === undefined) {
      checkType(type);
      head = `","type":${quote(type)},"payload":`;
      if (this.#requestHeads.size < MAX_CACHED_TYPES) this.#requestHeads.set(type, head);
    }
    return head;
  }
}

// Made with the first request that is traced: from then on Node follows every promise.
let traceStorage;

function traces() {
  if (traceStorage === undefined) {
    const { AsyncLocalStorage } = require('node:async_hooks');
    traceStorage = new AsyncLocalStorage();
  }
  return traceStorage;
}

function currentTrace() {
  return traceStorage?.getStore();
}

function refuse(_payload, call) {
  throw new RequestError(`this host does not serve ${call.type}`, 'unsupported_request');
}

function checkType(type) {
  const fits = typeof type === 'string' && type !== '' && byteLength(type) <= MAX_TYPE;
  if (!fits || REPLY_SUFFIX.test(type)) {
    throw new RequestError(
      `a request's type is a text of 1 to ${MAX_TYPE} bytes that does not end like a reply's`,
      'invalid_request',
    );
  }
}

function cancelled(signal) {
  const error = new RequestError('the request was cancelled', 'request_cancelled');
  error.name = 'AbortError';
  error.cause = signal.reason;
  return error;
}

module.exports = { Channel };
