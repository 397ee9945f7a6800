import { chmodSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { HealthImplementation } from "grpc-health-check";
import { MIB } from "../core/limits.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { WireRequest, WireResponse } from "../envoy/wire.ts";
import { Driver, type DriverDeps } from "./driver.ts";

const PROTO = fileURLToPath(new URL("../../proto/ext_proc.proto", import.meta.url));
const SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor";

export interface GrpcServer {
  /** Tells Envoy's health check to send no new streams here; running ones go on. */
  drain(): void;
  /** Waits until the streams are done, at most `deadlineMs`; then fails the rest (never a clean end: that is a bypass). */
  close(deadlineMs: number): Promise<void>;
}

/** Serves ext_proc and gRPC health on a unix socket (`path`, at most 107 bytes). A stale socket is removed, a live one is an error. */
export async function serveGrpc(path: string, deps: DriverDeps, bodyBytesMax: number): Promise<Result<GrpcServer, string>> {
  if (Buffer.byteLength(path) > 107) return err(`the socket path ${path} is longer than 107 bytes; choose a shorter folder`);
  const stale = removeStale(path);
  if (!stale.ok) return stale;
  const definition = loadSync(PROTO, { keepCase: true, longs: Number, oneofs: true });
  const service = definition[SERVICE];
  if (service === undefined || "format" in service) return err(`${PROTO} does not define ${SERVICE}`);
  const server = new Server({
    // ENVOY rule 11: grpc-js refuses messages above 4 MiB unless told.
    "grpc.max_receive_message_length": bodyBytesMax + MIB,
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": 4096,
  });
  const open = new Set<ServerDuplexStream<WireRequest, WireResponse>>();
  server.addService(service, {
    Process: (call: ServerDuplexStream<WireRequest, WireResponse>) => {
      open.add(call);
      attach(call, deps, () => open.delete(call));
    },
  });
  const health = new HealthImplementation({ "": "SERVING", [SERVICE]: "SERVING" });
  health.addToServer(server);
  try {
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error)));
    });
    // Envoy may run as another user of the same group.
    chmodSync(path, 0o660);
  } catch (cause) {
    return err(`cannot listen on ${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return ok({
    drain: () => {
      deps.capacity.draining = true;
      health.setStatus("", "NOT_SERVING");
      health.setStatus(SERVICE, "NOT_SERVING");
    },
    close: async (deadlineMs) => {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          for (const call of open) call.emit("error", { code: status.UNAVAILABLE, details: "shutting down" });
          server.forceShutdown();
          resolve();
        }, deadlineMs);
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      rmSync(path, { force: true });
    },
  });
}

function attach(call: ServerDuplexStream<WireRequest, WireResponse>, deps: DriverDeps, gone: () => void): void {
  let over = false;
  const driver = new Driver(
    {
      send: (message) => {
        if (!over) call.write(message);
      },
      fail: (why) => {
        if (over) return;
        // Never `call.end()` here: a clean end makes Envoy pass the rest uninspected (ENVOY rule 1).
        call.emit("error", { code: status.INTERNAL, details: why.slice(0, 100) });
        finish(false);
      },
    },
    deps,
  );
  const finish = (clean: boolean): void => {
    if (over) return;
    over = true;
    gone();
    driver.closed();
    if (clean) call.end();
  };
  call.on("data", (message: WireRequest) => {
    if (!over) driver.receive(message);
  });
  // With ext_proc_graceful_grpc_close Envoy ends its side; without, or when it resets, grpc-js says `cancelled` (ENVOY rules 2 and 13).
  call.on("end", () => finish(true));
  call.on("cancelled", () => finish(false));
  call.on("error", () => finish(false));
}

function removeStale(path: string): Result<undefined, string> {
  try {
    if (!statSync(path).isSocket()) return err(`${path} exists and is no socket; remove it or choose another path`);
    rmSync(path);
  } catch {
    // Not there: nothing to remove.
  }
  return ok(undefined);
}
