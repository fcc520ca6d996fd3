class Message:
    """A message: model_dump is what the worker uses of it."""

    def __init__(self, type="human", content="", id=None, **more):
        self.type, self.content, self.id, self.more = type, content, id, more

    def model_dump(self):
        return {"content": self.content, "additional_kwargs": {}, "response_metadata": {}, "type": self.type, "name": None,
                "id": self.id, **self.more}
