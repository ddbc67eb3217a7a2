"""``wasmforge.plugins.get.*``: what executors ask before they run a plugin."""

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from gateway.plugins import PluginStore
from schemas import subjects
from schemas.errors import InvalidInput
from schemas.messages import PluginQuery
from schemas.micro import Service

SERVICE = "wasmforge-gateway"

_encode = msgspec.json.Encoder().encode


def source_service(client: Client, store: PluginStore) -> Service:
    """The service that answers for plugins; not started yet."""

    async def get(msg: Msg) -> bytes:
        name = subjects.plugin_of(msg.subject)
        try:
            query = msgspec.json.decode(msg.data, type=PluginQuery) if msg.data else PluginQuery()
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InvalidInput(f"send nothing, or a PluginQuery as JSON: {error}") from None
        return _encode(await store.revision(name, query.revision))

    service = Service(client, SERVICE, "Plugins: their source and limits, by name and revision")
    service.add("plugins-get", subjects.PLUGIN_SOURCES, subjects.GATEWAYS, get)
    return service
