/** Connections to Redis or Valkey: one server, one watched by Sentinel, or a Cluster; with TLS, ACL user and password. */
import type { ConnectionOptions } from "node:tls";
import { Cluster, Redis } from "ioredis";

keepStringsFast();

/**
 * ioredis 6 has a class that extends String, which leaves String.prototype in V8's slow form: every charCodeAt, slice and startsWith of
 * the whole process then costs about four times as much. V8 brings a prototype back once a function that it has seen a few times reads a
 * property through a plain object above it. test/rules/prototypes.test.ts asks V8 whether it did.
 */
function keepStringsFast(): void {
  const above: { readonly missing?: unknown } = Object.create(String.prototype);
  const read = (): unknown => above.missing;
  for (let times = 0; times < 200; times += 1) read();
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}
export type RedisTopology =
  | ({ readonly kind: "standalone"; readonly db?: number } & RedisAddress)
  | {
      readonly kind: "sentinel";
      /** Name of the master that the sentinels watch. */
      readonly master: string;
      readonly sentinels: readonly RedisAddress[];
      readonly sentinelUsername?: string;
      readonly sentinelPassword?: string;
      /** Whether sentinels are spoken to with `tls` too. */
      readonly sentinelTls?: boolean;
      readonly db?: number;
    }
  | { readonly kind: "cluster"; readonly nodes: readonly RedisAddress[] };

export interface RedisConnection {
  readonly topology: RedisTopology;
  /** ACL user; absent: the server's default user. */
  readonly username?: string;
  readonly password?: string;
  /** Certificates and names as Node's `tls.connect` takes them; absent: no TLS. */
  readonly tls?: Pick<ConnectionOptions, "ca" | "cert" | "key" | "servername" | "rejectUnauthorized">;
}

export type RedisClient = Redis | Cluster;

const CONNECT_MS = 2_000;
const RECONNECT_MS_MAX = 500;
/** A server that took a command and says nothing for so long is taken for dead, and its connection is made anew. */
const SILENCE_MS = 5_000;

const backoff = (attempt: number): number => Math.min(20 * attempt, RECONNECT_MS_MAX);

/**
 * Connects in the background and for ever. Commands are never queued while there is no connection, nor sent again after one
 * was lost: what was not answered is the caller's to judge. `onError` is told what ioredis reports, many times over.
 */
export function connectRedis(connection: RedisConnection, onError: (cause: unknown) => void): RedisClient {
  const client = open(connection);
  client.on("error", onError);
  return client;
}

function open({ topology, username, password, tls }: RedisConnection): RedisClient {
  const shared = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    ...{ connectTimeout: CONNECT_MS, socketTimeout: SILENCE_MS, keepAlive: 10_000, noDelay: true },
    ...{ autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
  };
  if (topology.kind === "cluster")
    return new Cluster(
      topology.nodes.map(({ host, port }) => ({ host, port })),
      {
        ...{ redisOptions: shared, enableOfflineQueue: false, clusterRetryStrategy: backoff },
        ...{ slotsRefreshTimeout: CONNECT_MS, slotsRefreshInterval: 5_000 },
        // A node that is gone: its slots may have moved by the time of the second look.
        ...{ retryDelayOnFailover: 100, retryDelayOnClusterDown: 100, retryDelayOnTryAgain: 50, maxRedirections: 4 },
      },
    );
  const single = {
    ...{ ...shared, enableOfflineQueue: false, retryStrategy: backoff },
    // After a failover the old master is a replica: go and look for the new one.
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
    ...(topology.db === undefined ? {} : { db: topology.db }),
  };
  if (topology.kind === "standalone") return new Redis({ ...single, host: topology.host, port: topology.port });
  return new Redis({
    ...{ ...single, name: topology.master, sentinels: topology.sentinels.map(({ host, port }) => ({ host, port })) },
    ...{ sentinelRetryStrategy: backoff, failoverDetector: true },
    ...(topology.sentinelUsername === undefined ? {} : { sentinelUsername: topology.sentinelUsername }),
    ...(topology.sentinelPassword === undefined ? {} : { sentinelPassword: topology.sentinelPassword }),
    ...(tls !== undefined && topology.sentinelTls === true ? { enableTLSForSentinelMode: true, sentinelTLS: tls } : {}),
  });
}
