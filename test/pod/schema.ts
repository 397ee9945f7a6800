/**
 * Checks objects against Kubernetes' own schemas (kubernetes-models: validators compiled from its OpenAPI documents).
 * The API server drops fields that it does not know with a warning that nobody reads, and the validators pass them over; so
 * the objects are watched while they are read: a field that no validator asked for is unknown.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isMap, type Manifest, textOf } from "./kustomize.ts";

interface Validator {
  (data: unknown): boolean;
  errors?: readonly { readonly instancePath: string; readonly keyword: string; readonly params: unknown }[] | null;
}

/** By path: not every one of these packages exports its validators. */
const PACKAGES = join(import.meta.dirname, "../../node_modules");
const K8S = "kubernetes-models/_schemas/IoK8sApi";
const MODULES: Readonly<Record<string, string>> = {
  "v1 Namespace": `${K8S}CoreV1Namespace`,
  "v1 ServiceAccount": `${K8S}CoreV1ServiceAccount`,
  "v1 ConfigMap": `${K8S}CoreV1ConfigMap`,
  "v1 Secret": `${K8S}CoreV1Secret`,
  "v1 Service": `${K8S}CoreV1Service`,
  "apps/v1 Deployment": `${K8S}AppsV1Deployment`,
  "apps/v1 StatefulSet": `${K8S}AppsV1StatefulSet`,
  "policy/v1 PodDisruptionBudget": `${K8S}PolicyV1PodDisruptionBudget`,
  "networking.k8s.io/v1 NetworkPolicy": `${K8S}NetworkingV1NetworkPolicy`,
  "gateway.networking.k8s.io/v1 Gateway": "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1Gateway",
  "gateway.networking.k8s.io/v1 GatewayClass": "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1GatewayClass",
  "gateway.networking.k8s.io/v1 HTTPRoute": "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1HTTPRoute",
  ...Object.fromEntries(
    ["Backend", "EnvoyProxy", "EnvoyExtensionPolicy", "EnvoyPatchPolicy"].map((kind) => [
      `gateway.envoyproxy.io/v1alpha1 ${kind}`,
      `@kubernetes-models/envoy-gateway/_schemas/ComGithubEnvoyproxyGatewayApiV1alpha1${kind}`,
    ]),
  ),
};

/** Fields whose content has no schema. */
const FREE = /\.jsonPatches\.\d+\.operation\.value(?:\.|$)/;

/** Everything that is wrong with an object, one line each. */
export async function schemaProblems(manifest: Manifest): Promise<readonly string[]> {
  const type = `${textOf(manifest["apiVersion"])} ${textOf(manifest["kind"])}`;
  const module = MODULES[type];
  if (module === undefined) return [`${type}: no schema is known: add it to test/pod/schema.ts`];
  const loaded: unknown = await import(pathToFileURL(join(PACKAGES, `${module}.js`)).href);
  const validate = isMap(loaded) ? loaded["validate"] : undefined;
  if (!isValidator(validate)) return [`${type}: ${module} holds no validator`];
  const asked = new Map<string, { readonly value: Manifest; readonly keys: Set<string> }>();
  const problems: string[] = [];
  const unknown: string[] = [];
  if (!validate(watched(manifest, "", asked)))
    problems.push(
      ...(validate.errors ?? []).map((error) => `${type}${error.instancePath}: ${error.keyword} ${JSON.stringify(error.params)}`),
    );
  for (const [path, { value, keys }] of asked) {
    if (FREE.test(path) || unknown.some((above) => path.startsWith(`${above}.`) || path === above)) continue;
    unknown.push(
      ...Object.keys(value)
        .filter((key) => !keys.has(key))
        .map((key) => `${path}.${key}`),
    );
  }
  return [...problems, ...unknown.map((path) => `${type}${path}: there is no such field`)];
}

const isValidator = (value: unknown): value is Validator => typeof value === "function";

function watched(node: unknown, path: string, asked: Map<string, { readonly value: Manifest; readonly keys: Set<string> }>): unknown {
  if (Array.isArray(node)) return node.map((inner, index) => watched(inner, `${path}.${index}`, asked));
  if (!isMap(node)) return node;
  const keys = new Set<string>();
  asked.set(path, { value: node, keys });
  const inner = new Map(Object.entries(node).map(([key, value]) => [key, watched(value, `${path}.${key}`, asked)]));
  return new Proxy(node, {
    get: (_target, key) => {
      if (typeof key !== "string") return undefined;
      keys.add(key);
      return inner.get(key);
    },
  });
}
