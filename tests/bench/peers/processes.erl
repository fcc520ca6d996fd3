%% processes.erl - Erlang's processes at what `cohort bench agents --part scale` and `--part
%% request` measure of our agents, in one scheduler, as theirs is one shard; rates are of CPU time.
%%   erlc processes.erl && erl +S 1 +P 2000000 -noshell -run processes main
-module(processes).
-export([main/0]).

main() ->
    io:format("request_p50_us ~.3f~n", [request(1000000)]),
    {Spawn, Kb} = spawned(1000000),
    io:format("spawn_us ~.3f~nagent_kb ~.3f~n", [Spawn, Kb]),
    [io:format("messages_per_s_~b ~b~n", [N, spread(N, 4000000)]) || N <- [1, 1000, 100000, 1000000]],
    halt().

%% A request and its reply, one after the other: the median of hundreds.
request(N) ->
    Pid = spawn_link(fun echo/0),
    Times = [hundred(Pid) || _ <- lists:seq(1, N div 100)],
    lists:nth(length(Times) div 2, lists:sort(Times)).

hundred(Pid) ->
    Since = erlang:monotonic_time(nanosecond),
    asks(Pid, 100),
    (erlang:monotonic_time(nanosecond) - Since) / 100 / 1000.

asks(_, 0) -> ok;
asks(Pid, N) -> Pid ! {self(), N}, receive {Pid, N} -> asks(Pid, N - 1) end.

echo() -> receive {From, N} -> From ! {self(), N}, echo() end.

spawned(N) ->
    Before = erlang:memory(processes),
    {Ms, Pids} = cpu(fun() -> [spawn(fun count/0) || _ <- lists:seq(1, N)] end),
    Kb = (erlang:memory(processes) - Before) / N / 1024,
    [exit(P, kill) || P <- Pids],
    {Ms * 1000 / N, Kb}.

count() -> count(0).
count(N) -> receive {add, _} -> count(N + 1); {get, From} -> From ! {got, N}, count(N) end.

%% To N processes in an order without pattern, until they have counted all.
spread(N, Messages) ->
    Pids = [P || {_, P} <- lists:sort([{rand:uniform(), spawn(fun count/0)} || _ <- lists:seq(1, N)])],
    Text = <<"a text of 64 bytes, which a message of the measured kind refers to">>,
    Each = Messages div N,
    {Ms, All} = cpu(fun() ->
        [[P ! {add, Text} || P <- Pids] || _ <- lists:seq(1, Each)],
        [P ! {get, self()} || P <- Pids],
        lists:sum([receive {got, C} -> C end || _ <- Pids]) end),
    All = Each * N,
    [exit(P, kill) || P <- Pids],
    round(All * 1000 / Ms).

cpu(Work) ->
    {Since, _} = erlang:statistics(runtime),
    Result = Work(),
    {Now, _} = erlang:statistics(runtime),
    {Now - Since, Result}.
