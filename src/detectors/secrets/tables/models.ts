import { ALNUM, BASE64, HEX, HEX_ANY, LETTERS, LOWER_ALNUM, PADDING, SLUG, SLUG_DOT_PADDED, URL_SIGNS, WORD } from "../alphabets.ts";
import { githubScore } from "../checks.ts";
import { padding, run, type Shape } from "../shape.ts";

/** Every key of OpenAI's holds `OpenAI` in base64; the random parts about it have several lengths. */
const openAi = (token: string): number => (token.includes("T3BlbkFJ") ? 1 : 0);
const model = (name: string, prefix: string, ...parts: Shape["parts"]): Shape => ({
  name,
  entity: "secret_model_provider_key",
  prefix,
  parts,
  entropyMin: 3,
});
const github = (prefix: string): Shape => ({
  name: "GitHub token",
  entity: "secret_github_token",
  prefix,
  parts: [run(ALNUM, 36, 251)],
  entropyMin: 2.8,
  check: githubScore,
});
const gitlab = (name: string, prefix: string, min: number, max: number, alphabet = SLUG): Shape => ({
  name: `GitLab ${name}`,
  entity: "secret_gitlab_token",
  prefix,
  parts: [run(alphabet, min, max)],
});

/** Model providers. */
export const MODEL_SHAPES: readonly Shape[] = [
  { name: "OpenAI key", entity: "secret_openai_key", prefix: "sk-", parts: [run(SLUG, 40, 256)], entropyMin: 3, check: openAi },
  ...["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"].map(
    (prefix): Shape => ({ name: "OpenAI key", entity: "secret_openai_key", prefix, parts: [run(SLUG, 40, 256)], entropyMin: 3.2 }),
  ),
  { name: "key as OpenAI's", entity: "secret_openai_key", prefix: "sk-", parts: [run(ALNUM, 32, 64)], entropyMin: 3.3, score: 0.9 },
  ...["sk-ant-api03-", "sk-ant-admin01-"].map(
    (prefix): Shape => ({ name: "Anthropic key", entity: "secret_anthropic_key", prefix, parts: [run(SLUG, 80, 120)], entropyMin: 3 }),
  ),
  ...["sk-ant-oat01-", "sk-ant-ort01-", "sk-ant-sid01-", "sk-ant-"].map(
    (prefix): Shape => ({
      name: "Anthropic key",
      entity: "secret_anthropic_key",
      prefix,
      parts: [run(SLUG, 40, 200)],
      entropyMin: 3.3,
      score: 0.9,
    }),
  ),
  model("OpenRouter key", "sk-or-v1-", run(HEX, 64)),
  model("LiteLLM, Langfuse and other key", "sk-lf-", run(SLUG, 36)),
  model("Hugging Face token", "hf_", run(ALNUM, 34, 40)),
  { ...model("Hugging Face organisation token", "api_org_", run(LETTERS, 34)), entropyMin: 2.5 },
  model("Groq key", "gsk_", run(ALNUM, 48, 56)),
  model("xAI key", "xai-", run(ALNUM, 70, 90)),
  model("Perplexity key", "pplx-", run(ALNUM, 40, 56)),
  model("Replicate token", "r8_", run(ALNUM, 37)),
  model("Fireworks key", "fw_", run(ALNUM, 22, 48)),
  model("Together key", "tgp_v1_", run(SLUG, 43)),
  model("Cerebras key", "csk-", run(LOWER_ALNUM, 48)),
  model("Nvidia key", "nvapi-", run(SLUG, 60, 70)),
  model("Voyage key", "pa-", run(SLUG, 43)),
  model("LangSmith key", "lsv2_pt_", run(HEX, 32), "_", run(HEX, 10)),
  model("LangSmith key", "lsv2_sk_", run(HEX, 32), "_", run(HEX, 10)),
  model("Pinecone key", "pcsk_", run(WORD, 60, 80)),
  model("Jina key", "jina_", run(SLUG, 60)),
  model("Tavily key", "tvly-", run(SLUG, 32, 60)),
  model("Firecrawl key", "fc-", run(HEX, 32)),
  model("E2B key", "e2b_", run(HEX, 40)),
  model("Weights & Biases key", "wandb_v1_", run(WORD, 40, 100)),
];

/** Forges and what stands beside them. */
export const FORGE_SHAPES: readonly Shape[] = [
  ...["ghp_", "gho_", "ghu_", "ghs_", "ghr_"].map(github),
  { name: "GitHub fine-grained token", entity: "secret_github_token", prefix: "github_pat_", parts: [run(WORD, 82)], entropyMin: 3 },
  gitlab("token", "glpat-", 20, 320, SLUG_DOT_PADDED),
  gitlab("deploy token", "gldt-", 20, 64),
  gitlab("feed token", "glft-", 20, 64),
  gitlab("SCIM token", "glsoat-", 20, 64),
  gitlab("runner token", "glrt-", 20, 320, SLUG_DOT_PADDED),
  gitlab("feature flag token", "glffct-", 20, 64),
  gitlab("job token", "glcbt-", 20, 64),
  gitlab("mail token", "glimt-", 25, 32),
  gitlab("trigger token", "glptt-", 40, 48),
  gitlab("agent token", "glagent-", 50, 1024),
  gitlab("OAuth secret", "gloas-", 64, 72),
  gitlab("workspace token", "glwt-", 20, 64),
  gitlab("registration token", "GR1348941", 20, 50),
  { name: "GitLab session", entity: "secret_gitlab_token", prefix: "_gitlab_session=", parts: [run(LOWER_ALNUM, 32)] },
  { name: "Bitbucket app password", entity: "secret_vcs_token", prefix: "ATBB", parts: [run(ALNUM, 32)], entropyMin: 3 },
  {
    name: "Bitbucket access token",
    entity: "secret_vcs_token",
    prefix: "ATCTT3",
    parts: [run(SLUG, 160, 240), padding(PADDING), run(HEX_ANY, 0, 8)],
  },
  { name: "Sourcegraph token", entity: "secret_vcs_token", prefix: "sgp_", parts: [run(HEX_ANY, 40)], entropyMin: 3 },
  {
    name: "Sourcegraph token",
    entity: "secret_vcs_token",
    prefix: "sgp_",
    parts: [run(HEX_ANY, 16), "_", run(HEX_ANY, 40)],
    entropyMin: 3,
  },
  { name: "Sourcegraph token", entity: "secret_vcs_token", prefix: "sgp_local_", parts: [run(HEX_ANY, 40)], entropyMin: 3 },
  { name: "Sourcegraph dotcom token", entity: "secret_vcs_token", prefix: "sgd_", parts: [run(HEX_ANY, 64)], entropyMin: 3 },
];

/** Chat systems. */
export const CHAT_SHAPES: readonly Shape[] = [
  ...["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxe-", "xoxc-", "xoxd-", "XOXB-", "XOXP-", "XOXA-"].map(
    (prefix): Shape => ({
      name: "Slack token",
      entity: "secret_slack_token",
      prefix,
      parts: [run(prefix === "xoxd-" ? SLUG | URL_SIGNS : SLUG, 10, 512)],
      entropyMin: 2.3,
      check: slackScore,
    }),
  ),
  { name: "Slack app token", entity: "secret_slack_token", prefix: "xapp-", parts: [run(SLUG, 20, 200)], check: slackScore },
  { name: "Slack configuration token", entity: "secret_slack_token", prefix: "xoxe.xox", parts: [run(SLUG, 100, 250)] },
  ...["services/", "workflows/", "triggers/"].map(
    (path): Shape => ({
      name: "Slack webhook",
      entity: "secret_slack_token",
      prefix: `hooks.slack.com/${path}`,
      parts: [run(WORD | BASE64, 24, 120)],
      inAddress: true,
    }),
  ),
  ...["M", "N", "O"].flatMap((first) =>
    [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"].map(
      (second): Shape => ({
        name: "Discord bot token",
        entity: "secret_chat_token",
        prefix: first + second,
        parts: [run(SLUG, 22, 27), ".", run(SLUG, 6), ".", run(SLUG, 27, 40)],
        entropyMin: 3.5,
      }),
    ),
  ),
  { name: "Discord multi-factor token", entity: "secret_chat_token", prefix: "mfa.", parts: [run(SLUG, 84)], entropyMin: 3 },
  ...["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"].map(
    (prefix): Shape => ({
      name: "Discord webhook",
      entity: "secret_chat_token",
      prefix,
      parts: [run(ALNUM, 17, 20), "/", run(SLUG, 60, 72)],
      inAddress: true,
    }),
  ),
  {
    name: "Teams webhook",
    entity: "secret_chat_token",
    prefix: "webhook.office.com/webhookb2/",
    parts: [run(SLUG, 36), "@", run(SLUG, 36), "/IncomingWebhook/", run(ALNUM, 32), "/", run(SLUG, 36, 120)],
    inAddress: true,
  },
  {
    name: "Zapier webhook",
    entity: "secret_chat_token",
    prefix: "hooks.zapier.com/hooks/catch/",
    parts: [run(ALNUM, 5, 12), "/", run(ALNUM, 5, 12)],
    inAddress: true,
  },
];

/** Slack's tokens have numbers of teams and bots behind the prefix, old ones a random text; names such as `xoxa-nyc` do not. */
function slackScore(token: string): number {
  const body = token.slice(5);
  if (/^\d-?[A-Z0-9]{8,}|^(?:\d+-)+[a-z0-9]+/i.test(body)) return /[-\d]{8}|[A-Z0-9]{8}/i.test(body) ? 1 : 0;
  if (token.startsWith("xoxd-")) return 1;
  return /^[A-Za-z0-9]{8,48}$/.test(body) && /\d/.test(body) ? 0.9 : 0;
}
