# 23-model-settings  What config.configurable says reaches the model: assistant, then run, then nothing else.
capture reply "heard"
server  start
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs/wait say "plain" -> 200, .messages.1.content == "heard"
asked   -> .model == "mock-gpt-4o", .temperature absent, .max_tokens absent,
        .messages == [{"role": "user", "content": "plain"}],
        .tools.*.function.name == ["current_time", "store_put", "store_search"],
        header authorization == "Bearer sk-test"
post    /assistants {"graph_id": "agent", "config": {"configurable":
            {"system_prompt": "Be brief.", "temperature": 0.25, "max_tokens": 7, "model_name": "openai:gpt-x"}}}
        -> 200, $a = .assistant_id
post    /threads/$t/runs/wait say "again" {"assistant_id": "$a", "config": {"configurable": {"temperature": 0.5}}} -> 200
asked   -> .model == "gpt-x", .temperature == 0.5, .max_tokens == 7,
        .messages.*.role == ["system", "user", "assistant", "user"],
        .messages.0.content == "Be brief.", .messages.1.content == "plain"
# the system prompt is sent, not stored
get     /threads/$t/state -> 200, .values.messages.*.type == ["human", "ai", "human", "ai"]
asked   -> requests 2
# a member that nearly is a setting is told, and does nothing
post    /threads/$t/runs/wait say "typo" {"config": {"configurable": {"temprature": 1}}, "context": {"maxTokens": 5}}
        -> 200, header warning has "config.configurable.temprature is not known; did you mean temperature?",
        header warning has "context.maxTokens is not known; did you mean max_tokens?"
asked   -> .temperature == 0.5, .max_tokens absent
log     has setting_unknown temprature maxTokens
log     lacks sk-test
