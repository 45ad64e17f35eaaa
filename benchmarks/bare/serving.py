"""The limit of serving: a bare ASGI application with msgspec and onnxruntime, made for one model. No log, no checks.

    SERVING=FOLDER uvicorn --app-dir benchmarks/bare serving:app

FOLDER holds scores.onnx (the trees, on a matrix of numbers) and columns.json: for each column its categories, or null.
"""

import json
import os
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime

FOLDER = Path(os.environ["SERVING"])
COLUMNS = json.loads((FOLDER / "columns.json").read_text())

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(str(FOLDER / "scores.onnx"), options, providers=["CPUExecutionProvider"])
run = session.run

numbers = [name for name, categories in COLUMNS if categories is None]
words = [(name, {word: float(at) for at, word in enumerate(categories)}) for name, categories in COLUMNS if categories]
fields = [(name, float | None) for name in numbers] + [(name, str | None) for name, _ in words]
Row = msgspec.defstruct("Row", fields, gc=False)
Body = msgspec.defstruct("Body", [("rows", list[Row])], gc=False)
decode = msgspec.json.Decoder(Body).decode
encode = msgspec.json.Encoder().encode
astuple = msgspec.structs.astuple
lookups = [codes for _, codes in words]
split = len(numbers)


def predict(body: bytes) -> bytes:
    flat = []
    rows = decode(body).rows
    for row in rows:
        values = astuple(row)
        flat += values[:split]
        flat += [codes.get(word, -1.0) for codes, word in zip(lookups, values[split:])]  # noqa: B905
    matrix = np.array(flat, dtype=np.float32).reshape(len(rows), len(COLUMNS))
    scores = run(None, {"x": matrix})[0]
    return encode({"predictions": scores[:, 1].tolist()})


async def app(scope, receive, send):
    if scope["type"] != "http":
        while scope["type"] == "lifespan":
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
        return
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    answer = predict(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
