"""What there is to be asked: approved models and the state of the model servers."""

from collections.abc import Mapping

from broker.catalog import Catalog
from broker.fleet import Fleet
from broker.scheduler import Scheduler
from broker.servers import ModelServer
from schemas.ai import ModelServer as Described
from schemas.ai import ModelsReply


def of(catalog: Catalog, fleet: Fleet, fresh: Mapping[str, bool], scheduler: Scheduler) -> ModelsReply:
    """All of it.

    Args:
        catalog: the approved models.
        fleet: the model servers.
        fresh: by address, whether what is known of a server is fresh; one that is late counts as away.
        scheduler: knows what they are doing.
    """

    def error(server: ModelServer) -> str | None:
        return server.error if fresh[server.url] else f"the model server at {server.url} does not answer"

    connected = [server for server in fleet.servers if error(server) is None]
    models = catalog.describe(lambda target: any(server.lists(target) for server in connected))
    servers = [
        Described(
            url=server.url,
            backend=server.backend.kind,
            connected=server in connected,
            error=error(server),
            models=[listed.name for listed in server.models.values()] if server in connected else [],
            loaded=server.loaded_models if server in connected else [],
            running=scheduler.running_at(server.url),
            waiting=scheduler.waiting_for(server.url),
        )
        for server in fleet.servers
    ]
    return ModelsReply(
        models=models,
        url=fleet.servers[0].url,
        connected=bool(connected),
        server_models=list(dict.fromkeys(name for server in servers for name in server.models)),
        error=None if connected else error(fleet.servers[0]),
        servers=servers,
        details={model.name: fleet.details(model.answered_by) for model in models if model.answered_by is not None},
    )
