import type { Answer, Piece } from "./answer.ts";
import { modelOf, readForm } from "./openai-azure.ts";
import { openaiStyle, SERVER_ERROR } from "./openai-style.ts";
import { JSON_TYPE, NO_ASK, type Opened, SSE_TYPE, type StreamReply, type Surface } from "./surface.ts";
import { isObject, textOf, type Values } from "./values.ts";

/** A second of the simulator's audio, in bytes, and its tokens. */
const BYTES_PER_SECOND = 1000;
const TOKENS_PER_SECOND = 10;

const event = (members: Values): string => `data: ${JSON.stringify(members)}\n\n`;

function* speechPieces(answer: Answer, sound: Buffer): Generator<Piece> {
  for (let at = 0; at < sound.length; at += 1500)
    yield { text: event({ type: "speech.audio.delta", audio: sound.subarray(at, at + 1500).toString("base64") }), tokens: 1 };
  const usage = {
    input_tokens: answer.inputTokens,
    output_tokens: TOKENS_PER_SECOND,
    total_tokens: answer.inputTokens + TOKENS_PER_SECOND,
  };
  yield { text: event({ type: "speech.audio.done", usage }), tokens: 0 };
}

/** POST …/audio/speech: bytes that look like MP3 frames, or events. */
export const openaiSpeech: Surface = {
  name: "openai.audio.speech",
  style: openaiStyle,
  match: (arrival) => arrival.method === "POST" && arrival.path.endsWith("/audio/speech"),
  open(body, arrival): Opened | string {
    if (!isObject(body)) return "We could not parse the JSON body of your request.";
    const model = modelOf(body, arrival);
    const input = textOf(body["input"]);
    if (model === undefined || input === undefined) return "Missing required parameter: 'input'.";
    const events = body["stream_format"] === "sse";
    const sound = (answer: Answer): Buffer =>
      Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x00]), Buffer.alloc(4096, `${answer.hash}\0\xff{`, "latin1")]);
    return {
      ask: { ...NO_ASK, model, texts: [input], lastUserText: input, streaming: events },
      contentType: events ? SSE_TYPE : "audio/mpeg",
      unary: sound,
      stream: (answer): StreamReply => ({ pieces: speechPieces(answer, sound(answer)), fail: () => event({ error: SERVER_ERROR }) }),
    };
  },
};

function* transcriptPieces(words: readonly string[], usage: Values): Generator<Piece> {
  for (const delta of words) yield { text: event({ type: "transcript.text.delta", delta }), tokens: 1 };
  yield { text: event({ type: "transcript.text.done", text: words.join(""), usage }), tokens: 0 };
}

/** POST …/audio/transcriptions and …/translations. `whisper-1` counts seconds, the other models tokens. */
export const openaiTranscripts: Surface = {
  name: "openai.audio.transcripts",
  style: openaiStyle,
  match: (arrival) => arrival.method === "POST" && /\/audio\/(?:transcriptions|translations)$/.test(arrival.path),
  open(_body, arrival, raw): Opened | string {
    const form = readForm(raw, arrival);
    if (form === undefined) return "Content-Type must be multipart/form-data.";
    const model = modelOf(form.fields, arrival);
    if (model === undefined || form.fileBytes === 0) return "Missing required parameter: 'file'.";
    const translates = arrival.path.endsWith("/translations");
    const seconds = Math.ceil(form.fileBytes / BYTES_PER_SECOND);
    const input = seconds * TOKENS_PER_SECOND;
    const usageFor = (answer: Answer): Values =>
      model === "whisper-1"
        ? { type: "duration", seconds }
        : {
            type: "tokens",
            input_tokens: input,
            input_token_details: { audio_tokens: input, text_tokens: 0 },
            output_tokens: answer.outputTokens,
            total_tokens: input + answer.outputTokens,
          };
    const format = form.fields["response_format"] ?? "json";
    const streaming = form.fields["stream"] === "true" && !translates;
    const prompt = form.fields["prompt"] ?? "";
    const plain = format === "text" || format === "srt" || format === "vtt";
    return {
      ask: { ...NO_ASK, model, texts: [prompt], lastUserText: prompt, streaming, choices: 1 },
      contentType: streaming ? SSE_TYPE : plain ? "text/plain; charset=utf-8" : JSON_TYPE,
      unary(answer) {
        const text = answer.choices[0]?.content.join("") ?? "";
        if (plain) return format === "text" ? `${text}\n` : `1\n00:00:00,000 --> 00:00:0${Math.min(9, seconds)},000\n${text}\n\n`;
        const verbose =
          format === "verbose_json"
            ? { task: translates ? "translate" : "transcribe", language: "english", duration: seconds, segments: [] }
            : {};
        return `${JSON.stringify({ ...verbose, text, ...(translates ? {} : { usage: usageFor(answer) }) })}\n`;
      },
      stream: (answer): StreamReply => ({
        pieces: transcriptPieces(answer.choices[0]?.content ?? [], usageFor(answer)),
        fail: () => event({ error: SERVER_ERROR }),
      }),
    };
  },
};
