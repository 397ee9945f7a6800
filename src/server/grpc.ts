import { accessSync, chmodSync, constants, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Server, ServerCredentials, ServerInterceptingCall, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { HealthImplementation } from "grpc-health-check";
import { MIB } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { WireRequest } from "../envoy/wire.ts";
import { readRequest, writeResponse } from "../envoy/wire-codec.ts";
import { Driver, type DriverDeps } from "./driver.ts";
import { Observer } from "./observer.ts";

const PROTO = fileURLToPath(new URL("../../proto/ext_proc.proto", import.meta.url));
const SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor";
const PROCESS_PATH = `/${SERVICE}/Process`;

export interface GrpcServer {
  /**
   * Tells Envoy's health check to send no new streams here, and waits until it knows, at most `waitMs`. What arrives until then
   * is served like any other.
   */
  drain(waitMs: number): Promise<void>;
  /** Resolves once a health check has been answered `SERVING`: an Envoy knows this process. False: none came in time. */
  found(waitMs: number): Promise<boolean>;
  /** Waits until the streams are done, at most `deadlineMs`; then fails the rest (never a clean end: that is a bypass). */
  close(deadlineMs: number): Promise<void>;
}

/** sun_path of unix(7) holds 108 bytes, the last of them zero. */
const SOCKET_BYTES_MAX = 107;
/** Envoy asks every second, a second Envoy at another moment: the least wait before nobody sends anything new. */
const DRAIN_NOTICE_MS = 1_200;
/** Longest wait for a check that does not come: a loaded Envoy's, or that of one which went away. */
const DRAIN_NOTICE_MS_MAX = 3_000;
/** From the answer of a check to the moment when all of Envoy's threads know, with its merge window at 0: within one look of 10 ms. */
const SPREAD_MS = 100;
const STEP_MS = 20;

/** Serves ext_proc and gRPC health on a unix socket (`path`, at most 107 bytes). A stale socket is removed, a live one is an error. */
export async function serveGrpc(path: string, deps: DriverDeps, bodyBytesMax: number): Promise<Result<GrpcServer, string>> {
  const place = await preparePlace(path);
  if (!place.ok) return place;
  const definition = loadSync(PROTO, { keepCase: true, longs: Number, oneofs: true });
  const service = definition[SERVICE];
  const process = service === undefined || "format" in service ? undefined : service["Process"];
  if (process === undefined) return err(`${PROTO} does not define ${SERVICE}`);
  const open = new Set<Call>();
  const server = new Server({
    // grpc-js refuses messages above 4 MiB unless told.
    "grpc.max_receive_message_length": bodyBytesMax + MIB,
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": 4096,
    // Its counters and time stamps for each message serve a debugging interface that nothing here offers.
    "grpc.enable_channelz": 0,
    // A call is taken here, one layer below the stream of objects that a handler gets, whose buffers and events cost some 15 us a call.
    interceptors: [
      (method, grpc) =>
        new ServerInterceptingCall(grpc, method.path === PROCESS_PATH ? { start: () => attach(grpc, deps, open) } : undefined),
    ],
  });
  server.addService({ Process: { ...process, requestDeserialize: readRequest, responseSerialize: writeResponse } }, { Process: () => {} });
  const health = new HealthImplementation({ "": "SERVING", [SERVICE]: "SERVING" });
  const checks = { answered: 0 };
  health.addToServer({
    addService: (definition, implementation) => {
      const { check } = implementation;
      const counted = (...call: unknown[]): void => {
        if (check !== undefined) Reflect.apply(check, undefined, call);
        checks.answered += 1;
      };
      server.addService(definition, { ...implementation, check: counted });
    },
  });
  const answeredMore = async (than: number, waitMs: number): Promise<boolean> => {
    const endMs = performance.now() + waitMs;
    while (checks.answered <= than && performance.now() < endMs) await sleep(STEP_MS);
    return checks.answered > than;
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error)));
    });
    // Envoy may run as another user of the same group.
    chmodSync(path, 0o660);
  } catch (cause) {
    return err(`cannot listen on ${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const { ino } = statSync(path);
  return ok({
    drain: async (waitMs) => {
      deps.capacity.draining = true;
      health.setStatus("", "NOT_SERVING");
      health.setStatus(SERVICE, "NOT_SERVING");
      // No Envoy ever asked: none sends anything.
      if (checks.answered === 0) return;
      const before = checks.answered;
      await sleep(Math.min(DRAIN_NOTICE_MS, waitMs));
      if (await answeredMore(before, Math.min(DRAIN_NOTICE_MS_MAX, waitMs) - DRAIN_NOTICE_MS)) await sleep(Math.min(SPREAD_MS, waitMs));
    },
    found: async (waitMs) => (await answeredMore(0, waitMs)) && sleep(SPREAD_MS, true),
    close: async (deadlineMs) => {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          for (const call of open) call.fail(status.UNAVAILABLE, "shutting down");
          server.forceShutdown();
          resolve();
        }, deadlineMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      // A successor may have taken the place already.
      if (statSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true });
    },
  });
}

/** A call that runs. */
interface Call {
  /** Ends it with a status other than OK. */
  fail(code: status, details: string): void;
}

/** Brings the messages of one call to whoever decides, or only looks, and takes the answers back. */
function attach(grpc: ServerInterceptingCallInterface, deps: DriverDeps, open: Set<Call>): void {
  let over = false;
  let driver: Driver | Observer | undefined;
  const decider = (): Driver =>
    new Driver(
      {
        send: (message) => {
          if (!over) grpc.sendMessage(message, ignore);
        },
        fail: (why) => call.fail(status.INTERNAL, why.slice(0, 100)),
      },
      deps,
    );
  const finish = (code: status | undefined, details = "OK"): void => {
    if (over) return;
    over = true;
    open.delete(call);
    driver?.closed();
    // Node's own table of streams keeps ended ones reachable until the next full collection: what hangs on them must be little.
    driver = undefined;
    if (code !== undefined) grpc.sendStatus({ code, details, metadata: null });
  };
  // Never OK: a clean end makes Envoy pass the rest uninspected (seen on Envoy 1.40).
  const call: Call = { fail: finish };
  open.add(call);
  grpc.start({
    onReceiveMetadata: () => grpc.startRead(),
    onReceiveMessage: (message: WireRequest) => {
      if (over) return;
      try {
        driver ??= message.observability_mode === true ? new Observer(deps) : decider();
        driver.receive(message);
      } catch (cause) {
        deps.log.error("exchange_fault", { cause });
        call.fail(status.INTERNAL, "internal");
      }
      grpc.startRead();
    },
    // With ext_proc_graceful_grpc_close Envoy ends its side; without, or when it resets, grpc-js cancels (seen on Envoy 1.40).
    onReceiveHalfClose: () => finish(status.OK),
    onCancel: () => finish(undefined),
  });
}

/** For what needs no answer. */
const ignore = (): void => {};

/** Says in one line what is wrong with the place, and what to do; takes away a socket that nobody listens on. */
async function preparePlace(path: string): Promise<Result<undefined, string>> {
  const bytes = Buffer.byteLength(path);
  if (bytes > SOCKET_BYTES_MAX)
    return err(`the socket's path ${path} has ${bytes} bytes, and ${SOCKET_BYTES_MAX} is the most; choose a shorter one with --socket`);
  const folder = dirname(path);
  try {
    if (!statSync(folder).isDirectory()) return err(`${folder} is no folder; choose another place with --socket`);
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT")
      return err(`the folder ${folder} for the socket does not exist; make it, or choose another place with --socket`);
    return err(`the folder ${folder} may not be written to by this user; change its owner or mode, or choose another with --socket`);
  }
  const there = statSync(path, { throwIfNoEntry: false });
  if (there === undefined) return ok(undefined);
  if (!there.isSocket()) return err(`${path} exists and is no socket; remove it, or choose another path with --socket`);
  if (await answers(path)) return err(`another process listens on ${path}; stop it, or choose another path with --socket`);
  try {
    rmSync(path, { force: true });
  } catch {
    return err(`the socket ${path} is left over from another user and cannot be removed by this one; remove it`);
  }
  return ok(undefined);
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    const done = (live: boolean): void => {
      socket.destroy();
      resolve(live);
    };
    socket.once("connect", () => done(true));
    // Not allowed to connect, or its queue is full: somebody is there.
    socket.once("error", (cause: NodeJS.ErrnoException) => done(cause.code === "EACCES" || cause.code === "EAGAIN"));
  });
