/**
 * A collector for tests: takes OTLP over HTTP, protobuf or JSON, and reads it with a decoder of its own, so that what a real
 * collector would see is what is checked. Field numbers: opentelemetry-proto 1.x, trace/v1, metrics/v1, common/v1.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { Server as GrpcServer, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";

export type AttributeValue = string | number | boolean | readonly AttributeValue[];
export type AttributeMap = Readonly<Record<string, AttributeValue>>;

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** 2 is SERVER. */
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: AttributeMap;
  readonly events: readonly { readonly name: string; readonly timeNs: bigint; readonly attributes: AttributeMap }[];
  /** 0 unset, 2 error. */
  readonly status: number;
  readonly resource: AttributeMap;
}
export interface ReceivedPoint {
  readonly attributes: AttributeMap;
  /** Of a sum or gauge. */
  readonly value?: number;
  /** Of a histogram. */
  readonly count?: number;
  readonly sum?: number;
  readonly bucketCounts?: readonly number[];
  readonly bounds?: readonly number[];
}
export interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly kind: "gauge" | "sum" | "histogram";
  /** 2 is cumulative. */
  readonly temporality: number;
  readonly monotonic: boolean;
  readonly points: readonly ReceivedPoint[];
}

export interface Collector {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Metrics by name, as last received. */
  readonly metrics: ReadonlyMap<string, ReceivedMetric>;
  /** Bodies as they came, for whoever greps them. */
  readonly bodies: readonly Buffer[];
  readonly contentTypes: ReadonlySet<string>;
  /** Requests that could not be read as OTLP. */
  readonly malformed: readonly string[];
  /** Waits until `ready`, at most ten seconds; false then. */
  until(ready: (collector: Collector) => boolean): Promise<boolean>;
  /** How it answers from now on. `hang`: never. */
  behave(how: "ok" | "hang" | "fail"): void;
  close(): Promise<void>;
}

export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const metrics = new Map<string, ReceivedMetric>();
  const bodies: Buffer[] = [];
  const contentTypes = new Set<string>();
  const malformed: string[] = [];
  let behaviour: "ok" | "hang" | "fail" = "ok";
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk)));
    if (behaviour === "hang") return;
    if (behaviour === "fail") {
      response.writeHead(400).end("no");
      return;
    }
    const raw = Buffer.concat(chunks);
    const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
    bodies.push(body);
    const type = request.headers["content-type"] ?? "";
    contentTypes.add(type);
    try {
      const json = type.includes("json");
      if (request.url === "/v1/traces") spans.push(...(json ? spansOfJson(parse(body)) : readSpans(body)));
      else if (request.url === "/v1/metrics")
        for (const metric of json ? metricsOfJson(parse(body)) : readMetrics(body)) metrics.set(metric.name, metric);
      else throw new Error(`unknown path ${request.url}`);
      response.writeHead(200, { "content-type": type }).end(json ? "{}" : "");
    } catch (cause) {
      malformed.push(String(cause));
      response.writeHead(400).end();
    }
  };
  const server = createServer((request, response) => {
    take(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const collector: Collector = {
    ...{ url: `http://127.0.0.1:${port}`, spans, metrics, bodies, contentTypes, malformed },
    until: async (ready) => {
      for (let waited = 0; waited < 10_000; waited += 25) {
        if (ready(collector)) return true;
        await sleep(25);
      }
      return false;
    },
    behave: (how) => {
      behaviour = how;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return collector;
}

/** The same for OTLP over gRPC, spans only. */
export async function startGrpcCollector(): Promise<{ readonly url: string; readonly spans: readonly ReceivedSpan[]; close(): void }> {
  const spans: ReceivedSpan[] = [];
  const server = new GrpcServer();
  const same = (bytes: Buffer): Buffer => bytes;
  const coding = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
  const path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  server.addService(
    { Export: { path, requestStream: false, responseStream: false, ...coding } },
    {
      Export: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        spans.push(...readSpans(call.request));
        done(null, Buffer.alloc(0));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { url: `http://127.0.0.1:${port}`, spans, close: () => server.forceShutdown() };
}

const parse = (body: Buffer): Loose => JSON.parse(body.toString("utf8"));

// Protobuf ------------------------------------------------------------------------------------------------------------------

interface Field {
  readonly number: number;
  readonly bytes: Buffer;
  readonly int: bigint;
}

/** Fields of a message in order; `bytes` of length-delimited and fixed ones, `int` of varints. */
function fieldsOf(message: Buffer): readonly Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("cut varint");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error("long varint");
  };
  const bytes = (length: number): Buffer => {
    if (at + length > message.length) throw new Error("cut field");
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    switch (tag & 7) {
      case 0:
        fields.push({ number, bytes: Buffer.alloc(0), int: varint() });
        break;
      case 1:
        fields.push({ number, bytes: bytes(8), int: 0n });
        break;
      case 2:
        fields.push({ number, bytes: bytes(Number(varint())), int: 0n });
        break;
      case 5:
        fields.push({ number, bytes: bytes(4), int: 0n });
        break;
      default:
        throw new Error(`wire type ${tag & 7}`);
    }
  }
  return fields;
}

const all = (fields: readonly Field[], number: number): readonly Buffer[] =>
  fields.filter((one) => one.number === number).map((one) => one.bytes);
const one = (fields: readonly Field[], number: number): Buffer => all(fields, number).at(-1) ?? Buffer.alloc(0);
const text = (fields: readonly Field[], number: number): string => one(fields, number).toString("utf8");
const hex = (fields: readonly Field[], number: number): string => one(fields, number).toString("hex");
const fixed = (fields: readonly Field[], number: number): bigint => {
  const bytes = one(fields, number);
  return bytes.length === 8 ? bytes.readBigUInt64LE() : 0n;
};
const int = (fields: readonly Field[], number: number): bigint => fields.filter((field) => field.number === number).at(-1)?.int ?? 0n;
const has = (fields: readonly Field[], number: number): boolean => fields.some((field) => field.number === number);

function attributesAt(fields: readonly Field[], number: number): AttributeMap {
  return Object.fromEntries(
    all(fields, number).map((bytes) => {
      const pair = fieldsOf(bytes);
      return [text(pair, 1), anyValue(one(pair, 2))];
    }),
  );
}

function anyValue(bytes: Buffer): AttributeValue {
  const fields = fieldsOf(bytes);
  const [field] = fields;
  switch (field?.number) {
    case 1:
      return text(fields, 1);
    case 2:
      return int(fields, 2) === 1n;
    case 3:
      return Number(BigInt.asIntN(64, int(fields, 3)));
    case 4:
      return one(fields, 4).readDoubleLE();
    case 5:
      return all(fieldsOf(one(fields, 5)), 1).map(anyValue);
    default:
      return "";
  }
}

const readSpans = (body: Buffer): readonly ReceivedSpan[] =>
  all(fieldsOf(body), 1).flatMap((bytes) => {
    const group = fieldsOf(bytes);
    const resource = attributesAt(fieldsOf(one(group, 1)), 1);
    return all(group, 2).flatMap((scope) => all(fieldsOf(scope), 2).map((span) => readSpan(fieldsOf(span), resource)));
  });

const readSpan = (span: readonly Field[], resource: AttributeMap): ReceivedSpan => ({
  traceId: hex(span, 1),
  spanId: hex(span, 2),
  traceState: text(span, 3),
  parentSpanId: hex(span, 4),
  name: text(span, 5),
  kind: Number(int(span, 6)),
  startNs: fixed(span, 7),
  endNs: fixed(span, 8),
  attributes: attributesAt(span, 9),
  events: all(span, 11).map((bytes) => {
    const event = fieldsOf(bytes);
    return { timeNs: fixed(event, 1), name: text(event, 2), attributes: attributesAt(event, 3) };
  }),
  status: Number(int(fieldsOf(one(span, 15)), 3)),
  resource,
});

const readMetrics = (body: Buffer): readonly ReceivedMetric[] =>
  all(fieldsOf(body), 1).flatMap((group) =>
    all(fieldsOf(group), 2).flatMap((scope) => all(fieldsOf(scope), 2).map((bytes) => readMetric(fieldsOf(bytes)))),
  );

function readMetric(metric: readonly Field[]): ReceivedMetric {
  const [kind, number] = has(metric, 9) ? (["histogram", 9] as const) : has(metric, 7) ? (["sum", 7] as const) : (["gauge", 5] as const);
  const data = fieldsOf(one(metric, number));
  return {
    name: text(metric, 1),
    unit: text(metric, 3),
    kind,
    temporality: Number(int(data, 2)),
    monotonic: int(data, 3) === 1n,
    points: all(data, 1).map((bytes) => (kind === "histogram" ? histogramPoint(fieldsOf(bytes)) : numberPoint(fieldsOf(bytes)))),
  };
}

const numberPoint = (point: readonly Field[]): ReceivedPoint => ({
  attributes: attributesAt(point, 7),
  value: has(point, 6) ? Number(BigInt.asIntN(64, fixed(point, 6))) : one(point, 4).readDoubleLE(),
});

function histogramPoint(point: readonly Field[]): ReceivedPoint {
  const packed = <T>(bytes: Buffer, read: (at: number) => T): readonly T[] =>
    Array.from({ length: bytes.length / 8 }, (_, index) => read(index * 8));
  const [counts, bounds] = [one(point, 6), one(point, 7)];
  return {
    attributes: attributesAt(point, 9),
    count: Number(fixed(point, 4)),
    sum: one(point, 5).readDoubleLE(),
    bucketCounts: packed(counts, (at) => Number(counts.readBigUInt64LE(at))),
    bounds: packed(bounds, (at) => bounds.readDoubleLE(at)),
  };
}

// JSON ----------------------------------------------------------------------------------------------------------------------

/** OTLP as JSON (camel case, ids in hex, 64-bit numbers as text), as loosely as a collector reads it. */
interface Loose {
  readonly [key: string]: Loose | undefined;
}
const list = (value: unknown): readonly Loose[] => (Array.isArray(value) ? value : []);
const string = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number => Number(value ?? 0);

function attributesOfJson(value: unknown): AttributeMap {
  return Object.fromEntries(list(value).map((pair) => [string(pair["key"]), anyOfJson(pair["value"])]));
}
function anyOfJson(value: Loose | undefined): AttributeValue {
  const fields: Readonly<Record<string, unknown>> = value ?? {};
  if ("stringValue" in fields) return string(fields["stringValue"]);
  if ("boolValue" in fields) return fields["boolValue"] === true;
  if ("intValue" in fields) return number(fields["intValue"]);
  if ("doubleValue" in fields) return number(fields["doubleValue"]);
  return list(value?.["arrayValue"]?.["values"]).map(anyOfJson);
}

const spansOfJson = (body: Loose): readonly ReceivedSpan[] =>
  list(body["resourceSpans"]).flatMap((group) => {
    const resource = attributesOfJson(group["resource"]?.["attributes"]);
    return list(group["scopeSpans"]).flatMap((scope) =>
      list(scope["spans"]).map((span) => ({
        traceId: string(span["traceId"]),
        spanId: string(span["spanId"]),
        parentSpanId: string(span["parentSpanId"]),
        traceState: string(span["traceState"]),
        name: string(span["name"]),
        kind: number(span["kind"]),
        startNs: BigInt(string(span["startTimeUnixNano"])),
        endNs: BigInt(string(span["endTimeUnixNano"])),
        attributes: attributesOfJson(span["attributes"]),
        events: list(span["events"]).map((event) => ({
          name: string(event["name"]),
          timeNs: BigInt(string(event["timeUnixNano"])),
          attributes: attributesOfJson(event["attributes"]),
        })),
        status: number(span["status"]?.["code"]),
        resource,
      })),
    );
  });

const metricsOfJson = (body: Loose): readonly ReceivedMetric[] =>
  list(body["resourceMetrics"]).flatMap((group) =>
    list(group["scopeMetrics"]).flatMap((scope) =>
      list(scope["metrics"]).map((metric) => {
        const kind = metric["histogram"] !== undefined ? "histogram" : metric["sum"] !== undefined ? "sum" : "gauge";
        const data = metric[kind];
        const flag: unknown = data?.["isMonotonic"];
        return {
          name: string(metric["name"]),
          unit: string(metric["unit"]),
          kind,
          temporality: number(data?.["aggregationTemporality"]),
          monotonic: flag === true,
          points: list(data?.["dataPoints"]).map((point) => ({
            attributes: attributesOfJson(point["attributes"]),
            ...(kind === "histogram"
              ? {
                  count: number(point["count"]),
                  sum: number(point["sum"]),
                  bucketCounts: list(point["bucketCounts"]).map(number),
                  bounds: list(point["explicitBounds"]).map(number),
                }
              : { value: number(point["asInt"] ?? point["asDouble"]) }),
          })),
        };
      }),
    ),
  );
