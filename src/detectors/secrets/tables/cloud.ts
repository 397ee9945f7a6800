import { ALNUM, BASE64, BASE64_ANY, DIGITS, HEX, LOWER_ALNUM, PADDING, SLUG, SLUG_DOT_PADDED, UPPER_ALNUM } from "../alphabets.ts";
import { googleScore } from "../checks.ts";
import { padding, type Run, run, type Shape } from "../shape.ts";

/** AWS account keys, IAM user guide, "Unique identifiers": a prefix of four by kind, then 16 of base32. */
const AWS_PREFIXES = ["AKIA", "ASIA", "ABIA", "ACCA"];
const A3T = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"].map((last) => `A3T${last}`);

const u = (length: number): Run => run(UPPER_ALNUM, length);

/** Cloud accounts, infrastructure, vaults and databases. */
export const CLOUD_SHAPES: readonly Shape[] = [
  ...[...AWS_PREFIXES, ...A3T].map(
    (prefix): Shape => ({ name: "AWS access key id", entity: "secret_aws_key", prefix, parts: [run(UPPER_ALNUM, 16)], filledToo: true }),
  ),
  { name: "AWS Bedrock key", entity: "secret_aws_key", prefix: "ABSK", parts: [run(BASE64, 109, 269), padding(PADDING)], entropyMin: 3 },
  {
    name: "AWS Bedrock short-lived key",
    entity: "secret_aws_key",
    prefix: "bedrock-api-key-",
    parts: [run(BASE64_ANY, 28, 4096), padding(PADDING)],
    entropyMin: 3,
  },
  { name: "Google API key", entity: "secret_gcp_key", prefix: "AIza", parts: [run(SLUG, 35)], entropyMin: 3.2, check: googleScore },
  { name: "Google OAuth client secret", entity: "secret_gcp_key", prefix: "GOCSPX-", parts: [run(SLUG, 28)], entropyMin: 3 },
  { name: "Google OAuth access token", entity: "secret_gcp_key", prefix: "ya29.", parts: [run(SLUG, 30, 2048)], entropyMin: 3 },
  { name: "Google OAuth refresh token", entity: "secret_gcp_key", prefix: "1//0", parts: [run(SLUG, 60, 256)], entropyMin: 3 },
  { name: "Google HMAC key", entity: "secret_gcp_key", prefix: "GOOG", parts: [run(UPPER_ALNUM, 20, 57)], entropyMin: 3 },
  { name: "Azure DevOps token", entity: "secret_azure_key", prefix: "AZDO", parts: [run(ALNUM, 70, 90)], entropyMin: 3 },
  { name: "Alibaba access key id", entity: "secret_cloud_token", prefix: "LTAI", parts: [run(ALNUM, 12, 26)] },
  { name: "Tencent secret id", entity: "secret_cloud_token", prefix: "AKID", parts: [run(ALNUM, 32)], entropyMin: 3 },
  ...["dop_v1_", "doo_v1_", "dor_v1_"].map(
    (prefix): Shape => ({ name: "DigitalOcean token", entity: "secret_cloud_token", prefix, parts: [run(HEX, 64)] }),
  ),
  { name: "Heroku key", entity: "secret_cloud_token", prefix: "HRKU-", parts: [run(SLUG, 36, 66)] },
  { name: "Fly.io token", entity: "secret_cloud_token", prefix: "fo1_", parts: [run(SLUG, 43)] },
  ...["fm1a_", "fm1r_", "fm2_"].map(
    (prefix): Shape => ({
      name: "Fly.io macaroon",
      entity: "secret_cloud_token",
      prefix,
      parts: [run(BASE64, 100, 4096), padding(PADDING)],
      entropyMin: 3.5,
    }),
  ),
  { name: "Scalingo token", entity: "secret_cloud_token", prefix: "tk-us-", parts: [run(SLUG, 48)] },
  { name: "Scaleway key id", entity: "secret_cloud_token", prefix: "SCW", parts: [run(UPPER_ALNUM, 17)], entropyMin: 3, score: 0.8 },
  { name: "Yandex key", entity: "secret_cloud_token", prefix: "AQVN", parts: [run(SLUG, 35, 38)] },
  { name: "Yandex access key", entity: "secret_cloud_token", prefix: "YCA", parts: [run(SLUG, 37)], entropyMin: 3 },
  {
    name: "Yandex IAM token",
    entity: "secret_cloud_token",
    prefix: "t1.",
    parts: [run(SLUG, 8, 400), padding(PADDING), ".", run(SLUG, 86), padding(PADDING)],
  },
  {
    name: "Cloudflare origin CA key",
    entity: "secret_cloud_token",
    prefix: "v1.0-",
    parts: [run(HEX, 24), "-", run(HEX, 146)],
  },
  { name: "OpenShift token", entity: "secret_cloud_token", prefix: "sha256~", parts: [run(SLUG, 43)], entropyMin: 3.2 },
  { name: "Pulumi token", entity: "secret_cloud_token", prefix: "pul-", parts: [run(HEX, 40)] },
  { name: "Terraform Cloud token", entity: "secret_cloud_token", prefix: "user.atlasv1.", parts: [run(SLUG, 60, 70)] },
  { name: "Infracost key", entity: "secret_cloud_token", prefix: "ico-", parts: [run(ALNUM, 32)], entropyMin: 3 },
  { name: "Vercel token", entity: "secret_cloud_token", prefix: "vercel_", parts: [run(ALNUM, 24, 64)], entropyMin: 3 },
  { name: "Netlify token", entity: "secret_cloud_token", prefix: "nfp_", parts: [run(ALNUM, 36)], entropyMin: 3 },
  { name: "Supabase token", entity: "secret_cloud_token", prefix: "sbp_", parts: [run(HEX, 40)] },
  { name: "Supabase secret key", entity: "secret_cloud_token", prefix: "sb_secret_", parts: [run(SLUG, 31, 48)] },
  { name: "Tailscale key", entity: "secret_cloud_token", prefix: "tskey-", parts: [run(LOWER_ALNUM, 3, 16), "-", run(SLUG, 20, 80)] },
  { name: "Settlemint token", entity: "secret_cloud_token", prefix: "sm_aat_", parts: [run(ALNUM, 16)] },
  { name: "Settlemint token", entity: "secret_cloud_token", prefix: "sm_pat_", parts: [run(ALNUM, 16)] },
  { name: "Settlemint token", entity: "secret_cloud_token", prefix: "sm_sat_", parts: [run(ALNUM, 16)] },
  {
    name: "SoftLayer SOAP key",
    entity: "secret_cloud_token",
    prefix: "api.softlayer.com/soap/v3/",
    parts: [run(LOWER_ALNUM, 64)],
    inAddress: true,
  },
  {
    name: "SoftLayer SOAP key",
    entity: "secret_cloud_token",
    prefix: "api.softlayer.com/soap/v3.1/",
    parts: [run(LOWER_ALNUM, 64)],
    inAddress: true,
  },
  { name: "Vault service token", entity: "secret_vault_token", prefix: "hvs.", parts: [run(SLUG, 24, 200)], entropyMin: 3 },
  { name: "Vault batch token", entity: "secret_vault_token", prefix: "hvb.", parts: [run(SLUG, 90, 400)], entropyMin: 3 },
  { name: "Vault recovery token", entity: "secret_vault_token", prefix: "hvr.", parts: [run(SLUG, 24, 200)], entropyMin: 3 },
  {
    name: "Vault token before 1.10",
    entity: "secret_vault_token",
    prefix: "s.",
    parts: [run(ALNUM, 24)],
    entropyMin: 3.3,
    standsAlone: true,
  },
  { name: "Doppler token", entity: "secret_vault_token", prefix: "dp.pt.", parts: [run(ALNUM, 40, 44)] },
  { name: "Doppler service token", entity: "secret_vault_token", prefix: "dp.st.", parts: [run(SLUG, 2, 40), ".", run(ALNUM, 40, 44)] },
  {
    name: "1Password service account",
    entity: "secret_vault_token",
    prefix: "ops_eyJ",
    parts: [run(BASE64_ANY, 200, 8192), padding(PADDING)],
    entropyMin: 3.5,
  },
  {
    name: "1Password secret key",
    entity: "secret_vault_token",
    prefix: "A3-",
    parts: [u(6), "-", u(11), "-", u(5), "-", u(5), "-", u(5)],
    entropyMin: 3,
  },
  {
    name: "1Password secret key",
    entity: "secret_vault_token",
    prefix: "A3-",
    parts: [u(6), "-", u(6), "-", u(5), "-", u(5), "-", u(5), "-", u(5)],
    entropyMin: 3,
  },
  { name: "age key", entity: "secret_private_key", prefix: "AGE-SECRET-KEY-1", parts: [run(UPPER_ALNUM, 58)] },
  { name: "Sluice key", entity: "secret_sluice_key", prefix: "slk_", parts: [run(LOWER_ALNUM, 8), "_", run(SLUG, 43)], entropyMin: 3 },
  { name: "Hetzner token", entity: "secret_cloud_token", prefix: "hcloud_", parts: [run(ALNUM, 64)] },
  { name: "MongoDB Atlas service account", entity: "secret_database_token", prefix: "mdb_sa_sk_", parts: [run(SLUG, 40)] },
  { name: "PlanetScale token", entity: "secret_database_token", prefix: "pscale_tkn_", parts: [run(SLUG_DOT_PADDED, 32, 64)] },
  { name: "PlanetScale OAuth token", entity: "secret_database_token", prefix: "pscale_oauth_", parts: [run(SLUG_DOT_PADDED, 32, 64)] },
  { name: "PlanetScale password", entity: "secret_database_token", prefix: "pscale_pw_", parts: [run(SLUG_DOT_PADDED, 32, 64)] },
  { name: "ClickHouse Cloud secret", entity: "secret_database_token", prefix: "4b1d", parts: [run(ALNUM, 38)], entropyMin: 3 },
  {
    name: "Databricks token",
    entity: "secret_database_token",
    prefix: "dapi",
    parts: [run(HEX, 32), "-", run(DIGITS, 1)],
    entropyMin: 2.8,
  },
  { name: "Databricks token", entity: "secret_database_token", prefix: "dapi", parts: [run(HEX, 32)], entropyMin: 2.8 },
  { name: "Neon key", entity: "secret_database_token", prefix: "napi_", parts: [run(LOWER_ALNUM, 64)] },
];
