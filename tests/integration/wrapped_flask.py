"""A Flask application behind the gate, as somebody would write it."""

import os

from flask import Flask, request

from totp_gate import Gate

app = Flask(__name__)


@app.get("/")
def hello():
    return f"{request.remote_user} met process {os.getpid()}"


@app.post("/")
def save():
    return f"{request.remote_user} wrote {request.form['text']}"


application = Gate(app, "gate.toml")
