import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

/** A Kubernetes object as the manifests spell it. */
export type Manifest = Readonly<Record<string, unknown>>;

export const isMap = (value: unknown): value is Manifest => typeof value === "object" && value !== null && !Array.isArray(value);
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** What stands at a path of keys and indexes. */
export function inside(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((at, key) => (Array.isArray(at) ? at[Number(key)] : isMap(at) ? at[key] : undefined), value);
}

/** The part of kustomize that the manifests use; anything else is a mistake here. */
const KNOWN = new Set(["apiVersion", "kind", "namespace", "labels", "images", "resources"]);

/** `kubectl kustomize DIR`, for kustomizations of resources, namespace, labels and images. */
export function build(dir: string): readonly Manifest[] {
  const file = join(dir, "kustomization.yaml");
  const kustomization: unknown = parse(readFileSync(file, "utf8"));
  if (!isMap(kustomization)) throw new Error(`${file} is no map`);
  for (const key of Object.keys(kustomization)) if (!KNOWN.has(key)) throw new Error(`${file}: this reader does not know ${key}`);
  const resources = listOf(kustomization["resources"]).flatMap((name) => {
    const path = join(dir, textOf(name));
    return statSync(path).isDirectory() ? build(path) : documentsOf(path);
  });
  const images = new Map(
    listOf(kustomization["images"]).map((image) => [
      textOf(inside(image, "name")),
      `${textOf(inside(image, "newName"))}:${textOf(inside(image, "newTag"))}`,
    ]),
  );
  const labels = Object.assign({}, ...listOf(kustomization["labels"]).map((entry) => inside(entry, "pairs")));
  const namespace = kustomization["namespace"];
  return resources.map((resource) => {
    const metadata = inside(resource, "metadata");
    const inNamespace = namespace === undefined || resource["kind"] === "Namespace" ? {} : { namespace };
    const placed = {
      ...resource,
      metadata: { ...(isMap(metadata) ? metadata : {}), ...inNamespace, labels: { ...labels, ...Object(inside(metadata, "labels")) } },
    };
    return isMap(placed) ? withImages(placed, images) : placed;
  });
}

export function documentsOf(path: string): readonly Manifest[] {
  return parseAllDocuments(readFileSync(path, "utf8")).map((document): Manifest => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors[0]?.message}`);
    const value: unknown = document.toJS();
    if (!isMap(value)) throw new Error(`${path}: a document that is no object`);
    return value;
  });
}

function withImages(value: Manifest, images: ReadonlyMap<string, string>): Manifest {
  const walk = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(walk);
    if (!isMap(node)) return node;
    return Object.fromEntries(
      Object.entries(node).map(([key, inner]) => [
        key,
        key === "image" && typeof inner === "string" ? (images.get(inner) ?? inner) : walk(inner),
      ]),
    );
  };
  const walked = walk(value);
  return isMap(walked) ? walked : value;
}
