"""What one execution used of models, added up."""

from dataclasses import dataclass, field

from schemas.ai import AIUse, ChatReply, EmbedReply, GenerateReply


@dataclass
class Use:
    """Sums over the requests of one execution."""

    failed: int = 0
    _requests: int = 0
    _cached: int = 0
    _prompt_tokens: int = 0
    _output_tokens: int = 0
    _queue_us: int = 0
    _duration_us: int = 0
    _models: dict[str, None] = field(default_factory=dict)

    def add(self, reply: GenerateReply | ChatReply | EmbedReply) -> None:
        """One answered request."""
        self._requests += 1
        self._cached += reply.cached
        self._prompt_tokens += reply.prompt_tokens
        self._output_tokens += 0 if isinstance(reply, EmbedReply) else reply.output_tokens
        self._queue_us += reply.queue_us
        self._duration_us += reply.duration_us
        self._models[reply.answered_by] = None

    def total(self) -> AIUse:
        """As it is recorded."""
        return AIUse(
            requests=self._requests,
            failed=self.failed,
            cached=self._cached,
            prompt_tokens=self._prompt_tokens,
            output_tokens=self._output_tokens,
            queue_us=self._queue_us,
            duration_us=self._duration_us,
            models=list(self._models),
        )
