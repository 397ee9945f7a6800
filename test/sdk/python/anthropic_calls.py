"""The `anthropic` package, unmodified: only base URL and key differ from a program that calls Anthropic."""

import json

import anthropic
from seen import CAPPED_KEY, IDLE_KEY, KEY, PARAMETERS, URL, case, error_of, main

client = anthropic.Anthropic(api_key=KEY, base_url=URL)
MODEL = "claude-haiku-4-5"
HELLO = [{"role": "user", "content": "Hello there"}]
TOOLS = [{"name": "get_weather", "input_schema": PARAMETERS}]


def usage_of(usage):
    return {"input": usage.input_tokens, "output": usage.output_tokens}


@case
def messages():
    answer = client.messages.create(model=MODEL, max_tokens=200, messages=HELLO)
    return {"text": answer.content[0].text, "usage": usage_of(answer.usage)}


@case
def messages_stream():
    with client.messages.stream(model=MODEL, max_tokens=200, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
    return {"text": text, "usage": usage_of(answer.usage)}


@case
def messages_tools():
    choice = {"type": "tool", "name": "get_weather"}
    with client.messages.stream(model=MODEL, max_tokens=200, messages=HELLO, tools=TOOLS, tool_choice=choice) as stream:
        answer = stream.get_final_message()
    call = answer.content[0]
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]}
    said = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]}
    after = client.messages.create(model=MODEL, max_tokens=200, messages=[*HELLO, said, result], tools=TOOLS)
    return {"name": call.name, "arguments": call.input, "stop": answer.stop_reason, "text": after.content[0].text}


@case
def messages_schema():
    config = {"format": {"type": "json_schema", "schema": PARAMETERS}}
    answer = client.messages.create(model=MODEL, max_tokens=200, messages=HELLO, output_config=config)
    return json.loads(answer.content[0].text)


@case
def count_tokens():
    return {"usage": {"input": client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens}}


@case
def models():
    return [model.id for model in client.models.list()]


@case
def refused_key():
    stranger = anthropic.Anthropic(api_key="sk-nobody", base_url=URL)
    return error_of(lambda: stranger.messages.create(model=MODEL, max_tokens=9, messages=HELLO), anthropic.AuthenticationError)


@case
def refused_tool():
    tools = [{"name": "delete_all", "input_schema": PARAMETERS}]
    call = lambda: client.messages.create(model=MODEL, max_tokens=9, messages=HELLO, tools=tools)  # noqa: E731
    return error_of(call, anthropic.PermissionDeniedError)


@case
def refused_surface():
    return error_of(lambda: client.messages.batches.create(requests=[]), anthropic.NotFoundError)


@case
def retried():
    failing = [{"role": "user", "content": "py [[sim fail-first=1 status=529]]"}]
    return {"text": client.messages.create(model=MODEL, max_tokens=99, messages=failing).content[0].text}


@case
def capped():
    slow = [{"role": "user", "content": "[[sim tokens=400 token-delay=20]]"}]
    with anthropic.Anthropic(api_key=CAPPED_KEY, base_url=URL).messages.stream(model=MODEL, max_tokens=900, messages=slow) as stream:
        return {"finish": stream.get_final_message().stop_reason}


@case
def silent():
    def call():
        hang = [{"role": "user", "content": "[[sim token-delay=2000]]"}]
        with anthropic.Anthropic(api_key=IDLE_KEY, base_url=URL).messages.stream(model=MODEL, max_tokens=900, messages=hang) as stream:
            stream.get_final_message()

    return error_of(call, anthropic.APIError)


main()
