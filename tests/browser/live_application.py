"""An ASGI application with a WebSocket and an event stream, and a page that uses both."""

import asyncio

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

PAGE = """<!doctype html><html lang=en><title>Live</title>
<p id=socket>connecting</p><p id=events>connecting</p>
<script src=/page.js></script>"""
SCRIPT = """
const say = (id, text) => { document.getElementById(id).textContent = text };
const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
socket.onmessage = () => say('socket', 'alive');
socket.onclose = () => say('socket', 'closed');
const events = new EventSource('/events');
events.onmessage = () => say('events', 'alive');
events.onerror = () => { events.close(); say('events', 'closed') };
"""


async def page(_request):
    return HTMLResponse(PAGE)


async def script(_request):
    return Response(SCRIPT, media_type="text/javascript")


async def events(_request):
    async def ticks():
        while True:
            yield b"data: tick\n\n"
            await asyncio.sleep(0.2)

    return StreamingResponse(ticks(), media_type="text/event-stream")


async def socket(websocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_text("tick")
            await asyncio.sleep(0.2)
    except (WebSocketDisconnect, RuntimeError):
        return


application = Starlette(
    routes=[
        Route("/", page),
        Route("/page.js", script),
        Route("/events", events),
        WebSocketRoute("/socket", socket),
    ]
)
