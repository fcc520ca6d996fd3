def create_model(name, **fields):
    class Model:
        @staticmethod
        def model_json_schema():
            return {"title": name, "type": "object", "properties": {k: {} for k in fields}}

    return Model
