"""The `openai` package, unmodified: only base URL and key differ from a program that calls OpenAI."""

import json

import openai
from seen import CAPPED_KEY, IDLE_KEY, KEY, PARAMETERS, URL, case, error_of, main

client = openai.OpenAI(api_key=KEY, base_url=f"{URL}/v1")
MODEL = "gpt-4o-mini"
HELLO = [{"role": "user", "content": "Hello there"}]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]


def usage_of(usage):
    return {"input": usage.prompt_tokens, "output": usage.completion_tokens}


@case
def chat():
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    return {"text": answer.choices[0].message.content, "usage": usage_of(answer.usage)}


@case
def chat_stream():
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    return {"text": "".join(chunk.choices[0].delta.content or "" for chunk in chunks), "usage": [c.usage for c in chunks if c.usage]}


@case
def chat_stream_usage():
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options=options))
    return {"usage": usage_of(chunks[-1].usage)}


@case
def chat_tools():
    messages = [{"role": "user", "content": "Please use the tool"}]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    call = message.tool_calls[0]
    messages += [message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    after = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    return {"name": call.function.name, "arguments": json.loads(call.function.arguments), "text": after.choices[0].message.content}


@case
def chat_schema():
    schema = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": PARAMETERS}}
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, response_format=schema)
    return json.loads(answer.choices[0].message.content)


@case
def responses():
    answer = client.responses.create(model=MODEL, input="Hello there", store=False)
    return {"text": answer.output_text, "usage": {"input": answer.usage.input_tokens, "output": answer.usage.output_tokens}}


@case
def responses_stream():
    with client.responses.stream(model=MODEL, input="Hello there", store=False) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_response()
    return {"first": kinds[0], "last": kinds[-1], "text": answer.output_text}


@case
def embeddings():
    answer = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"], dimensions=64)
    return {"sizes": [len(row.embedding) for row in answer.data], "usage": {"input": answer.usage.prompt_tokens}}


@case
def models():
    return [model.id for model in client.models.list()]


@case
def refused_key():
    stranger = openai.OpenAI(api_key="sk-nobody", base_url=f"{URL}/v1")
    return error_of(lambda: stranger.chat.completions.create(model=MODEL, messages=HELLO), openai.AuthenticationError)


@case
def refused_model():
    return error_of(lambda: client.chat.completions.create(model="secret-model", messages=HELLO), openai.PermissionDeniedError)


@case
def refused_region():
    headers = {"x-ai-region": "eu"}
    call = lambda: client.chat.completions.create(model=MODEL, messages=HELLO, extra_headers=headers)  # noqa: E731
    return error_of(call, openai.InternalServerError)


@case
def retried():
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "py [[sim fail-first=1 status=503]]"}])
    return {"text": answer.choices[0].message.content}


@case
def capped():
    slow = [{"role": "user", "content": "[[sim tokens=400 token-delay=20]]"}]
    capped_client = openai.OpenAI(api_key=CAPPED_KEY, base_url=f"{URL}/v1")
    chunks = list(capped_client.chat.completions.create(model=MODEL, messages=slow, stream=True))
    return {"finish": chunks[-1].choices[0].finish_reason}


@case
def silent():
    idle_client = openai.OpenAI(api_key=IDLE_KEY, base_url=f"{URL}/v1")
    hang = [{"role": "user", "content": "[[sim token-delay=2000]]"}]
    return error_of(lambda: list(idle_client.chat.completions.create(model=MODEL, messages=hang, stream=True)), openai.APIError)


main()
