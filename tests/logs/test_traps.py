"""What each format hides: zeros that mean unknown, verdicts that are none, counts that are double."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from samples import FORMATS, attempts, copied, edited, sample

from eqsolver import MarketError
from eqsolver.logs import LogOptions, read_attempts


def one(path: Path, provider: str, problem: str, attempt: int, columns: str, **options: Any) -> tuple[Any, ...]:
    rows = attempts(path, f"provider, problem, attempt, {columns}", **options)
    return next(row[3:] for row in rows if row[:3] == (provider, problem, attempt))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rewrite(path: Path, entries: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))


def test_harbor_counts_a_timeout_and_excludes_a_rate_limit() -> None:
    assert one(*sample("harbor"), "acme/small-1", "primes", 1, "solved, cost, error") == (0, 0.0059, "AgentTimeoutError")
    assert one(*sample("harbor"), "acme/small-1", "primes", 2, "solved, error") == (None, "ApiRateLimitError")


def test_harbor_computes_what_older_files_do_not_say(tmp_path: Path) -> None:
    folder = copied("harbor", tmp_path)

    def older(trial: dict[str, Any]) -> None:
        del trial["reward_valid"]
        if trial["exception_info"]:
            del trial["exception_info"]["policy"]

    for path in folder.rglob("result.json"):
        edited(path, older)
    assert attempts(folder) == attempts(sample("harbor"))


def test_harbor_reads_no_job_sums_and_tells_data_sets_apart(tmp_path: Path) -> None:
    folder = copied("harbor", tmp_path)
    (folder / "jobs/small/result.json").write_text('{"n_total_trials": 4, "stats": {}}')
    assert len(attempts(folder)) == 6
    edited(folder / "jobs/large/add__uV5wX6y/result.json", lambda trial: trial.update(source="other-bench"))
    problems = {problem for (problem,) in attempts(folder, "problem")}
    assert problems == {"other-bench/add", "calc-bench/add", "calc-bench/primes"}


def test_harbor_takes_the_reward_asked_for(tmp_path: Path) -> None:
    folder = copied("harbor", tmp_path)
    for path in folder.rglob("result.json"):
        edited(path, lambda trial: trial["verifier_result"].update(rewards={"reward": 1.0, "style": 0.0}))
    assert {solved for (solved,) in attempts(folder, "solved")} == {1, None}
    assert {solved for (solved,) in attempts(folder, "solved", scorer="style")} == {0, None}
    with pytest.raises(MarketError, match="scorer 'tone' is not among reward, style"):
        attempts(folder, scorer="tone")


def test_mini_swe_agent_takes_billed_cost_where_the_price_was_unknown() -> None:
    path = FORMATS / "mini-swe-agent/small-run2/acme__calc-1/acme__calc-1.traj.json"
    assert json.loads(path.read_text())["info"]["model_stats"]["instance_cost"] == 0.0
    assert one(*sample("mini-swe-agent"), "acme/small-1", "acme__calc-1", 2, "cost") == (0.00204,)


def test_mini_swe_agent_leaves_a_cost_unknown_that_was_not_billed(tmp_path: Path) -> None:
    folder = copied("mini-swe-agent", tmp_path)

    def unbilled(run: dict[str, Any]) -> None:
        for message in run["messages"]:
            message.get("extra", {}).get("response", {"usage": {}})["usage"].pop("cost", None)

    edited(folder / "small-run2/acme__calc-1/acme__calc-1.traj.json", unbilled)
    assert one(folder, "acme/small-1", "acme__calc-1", 2, "cost, input_tokens") == (None, 2500)


def test_mini_swe_agent_tells_a_container_that_never_started_from_a_model_that_gave_up() -> None:
    report = json.loads((FORMATS / "mini-swe-agent/reports/acme__small-1.small-run1.json").read_text())
    assert {"acme__calc-3", "acme__calc-4"} == set(report["empty_patch_ids"])
    assert one(*sample("mini-swe-agent"), "acme/small-1", "acme__calc-3", 1, "solved, error") == (0, "LimitsExceeded")
    assert one(*sample("mini-swe-agent"), "acme/small-1", "acme__calc-4", 1, "solved, error") == (None, "no trajectory")


def test_mini_swe_agent_excludes_a_crash_and_a_failed_evaluation(tmp_path: Path) -> None:
    folder = copied("mini-swe-agent", tmp_path)
    crash = folder / "small-run1/acme__calc-1/acme__calc-1.traj.json"
    edited(crash, lambda run: run["info"].update(exit_status="ConnectionError", traceback="Traceback"))
    report = folder / "reports/acme__small-1.small-run2.json"
    edited(report, lambda found: found.update(resolved_ids=["acme__calc-2"], error_ids=["acme__calc-1"]))
    assert one(folder, "acme/small-1", "acme__calc-1", 1, "solved, error") == (None, "ConnectionError")
    told = "no verdict: error in the evaluation"
    assert one(folder, "acme/small-1", "acme__calc-1", 2, "solved, error") == (None, told)
    assert one(folder, "acme/small-1", "acme__calc-2", 2, "solved") == (1,)


def test_mini_swe_agent_needs_the_report_of_every_run(tmp_path: Path) -> None:
    folder = copied("mini-swe-agent", tmp_path)
    (folder / "reports/acme__small-1.small-run2.json").unlink()
    with pytest.raises(MarketError, match=r"small-run2: no report acme__small-1\.small-run2\.json"):
        attempts(folder)


def test_terminal_bench_counts_no_tokens_where_it_says_zero() -> None:
    assert one(*sample("terminal-bench"), "acme/large-2", "add", 1, "solved, input_tokens, output_tokens") == (1, None, None)


def test_terminal_bench_excludes_its_own_failures_and_counts_timeouts() -> None:
    assert one(*sample("terminal-bench"), "acme/large-2", "primes", 2, "solved, error") == (None, "test_timeout")
    assert one(*sample("terminal-bench"), "acme/small-1", "primes", 1, "solved, error") == (0, "agent_timeout")


def test_tau2_reward_zero_is_no_failure_where_the_infrastructure_failed() -> None:
    assert one(*sample("tau2"), "acme/small-1", "1", 2, "solved, error") == (None, "infrastructure_error")


def test_tau2_reads_an_index_of_simulations(tmp_path: Path) -> None:
    folder = copied("tau2", tmp_path)

    def indexed(results: dict[str, Any]) -> None:
        names = ("id", "task_id", "trial", "termination_reason", "agent_cost", "duration")
        results["simulation_index"] = [
            {**{name: run[name] for name in names}, "reward": run["reward_info"]["reward"]}
            for run in results.pop("simulations")
        ]
        results["format_version"] = "2"

    edited(folder / "results.json", indexed)
    kept = "problem, provider, attempt, solved, cost, seconds, error"
    assert attempts(folder, kept) == attempts(sample("tau2"), kept)


def test_promptfoo_problems_are_variables_and_not_test_numbers() -> None:
    found = json.loads((FORMATS / "promptfoo/out.json").read_text())["results"]["results"]
    assert {row["testIdx"] for row in found if row["vars"]["name"] == "add"} == {0, 1}
    assert one(*sample("promptfoo"), "mock:cheap", "add", 2, "solved") == (0,)
    hashed = attempts(sample("promptfoo"), "problem", mapped={"problem": "hash(vars)"})
    assert len(set(hashed)) == 3
    assert all(len(problem) == 12 for (problem,) in hashed)


def test_promptfoo_errors_cost_unknown_and_replays_are_no_attempts(tmp_path: Path) -> None:
    assert one(*sample("promptfoo"), "mock:cheap", "root", 2, "cost, input_tokens, error")[:2] == (None, None)
    folder = copied("promptfoo", tmp_path)
    edited(folder / "out.json", lambda found: found["results"]["results"][1]["response"].update(cached=True))
    assert one(folder, "mock:strong", "add", 1, "solved, cost, error") == (None, None, "replayed from the cache")


def test_promptfoo_assertions_on_cost_say_nothing_of_the_answer(tmp_path: Path) -> None:
    folder = copied("promptfoo", tmp_path)

    def too_dear(found: dict[str, Any]) -> None:
        row = found["results"]["results"][1]
        row["success"] = False
        row["gradingResult"]["componentResults"].append({"pass": False, "assertion": {"type": "cost"}})

    edited(folder / "out.json", too_dear)
    assert one(folder, "mock:strong", "add", 1, "solved") == (1,)
    edited(folder / "out.json", lambda found: found["results"]["results"].__delitem__(slice(2, None)))
    edited(folder / "out.json", lambda found: found["results"]["results"].__delitem__(0))
    assert one(folder, "mock:strong", "add", 1, "solved", scorer="cost") == (0,)


def test_promptfoo_refuses_one_name_for_two_problems_and_tells_prompts_apart(tmp_path: Path) -> None:
    folder = copied("promptfoo", tmp_path)
    edited(folder / "out.json", lambda found: found["results"]["results"][0].update(promptId="0123456789"))
    assert {"mock:cheap#01234567", "mock:cheap#d3bcaf71"} < {name for (name,) in attempts(folder, "provider")}
    edited(folder / "out.json", lambda found: found["results"]["results"][0]["vars"].update(question="Another?"))
    with pytest.raises(MarketError, match="add: is the name of two different problems"):
        attempts(folder)


def test_llmrouterbench_partial_scores_need_a_threshold() -> None:
    assert one(*sample("llmrouterbench"), "small-1", "demo/test/3", 1, "solved, error") == (None, "partial credit")
    for threshold, solved in ((0.5, 1), (0.6, 0)):
        assert one(*sample("llmrouterbench"), "small-1", "demo/test/3", 1, "solved, error", solved_at=threshold) == (
            solved,
            None,
        )


def test_litellm_cached_tokens_stand_inside_the_metadata() -> None:
    assert one(*sample("litellm"), "acme/small-1", "add", 1, "cached_tokens, input_tokens") == (800, 2200)


def test_litellm_a_session_of_failures_is_infrastructure_and_a_failed_call_is_not() -> None:
    assert one(*sample("litellm"), "acme/small-1", "primes", 1, "solved, error") == (None, "RateLimitError")
    assert one(*sample("litellm"), "acme/small-1", "add", 2, "solved, error") == (0, None)


def test_openrouter_bills_native_tokens_and_its_own_keys_upstream(tmp_path: Path) -> None:
    assert one(*sample("openrouter"), "acme/large-2", "primes", 1, "input_tokens, cost") == (900, 0.0128)
    assert one(*sample("openrouter"), "acme/small-1", "primes", 1, "solved, error") == (0, "length")
    folder = copied("openrouter", tmp_path)
    path = folder / "generations.jsonl"
    found = lines(path)
    found[-1]["data"]["upstream_inference_cost"] = 0
    rewrite(path, found)
    assert one(folder, "acme/large-2", "primes", 1, "cost") == (None,)


def test_langfuse_leaves_the_judge_out_and_counts_cached_tokens_apart(tmp_path: Path) -> None:
    assert one(*sample("langfuse"), "acme/small-1", "add", 1, "cost, input_tokens, cached_tokens") == (0.00204, 2200, 800)
    folder = copied("langfuse", tmp_path)
    path = folder / "observations_v2/2026-11-02.jsonl"
    found = lines(path)
    inclusive = next(entry for entry in found if entry["id"] == "o-0-1")
    inclusive["usage_details"] = {"input": 1400, "input_cached_tokens": 800, "output": 80, "total": 1480}
    rewrite(path, found)
    assert one(folder, "acme/small-1", "add", 1, "input_tokens, cached_tokens") == (2200, 800)


def test_langfuse_prefers_times_to_latency_and_asks_which_score_counts(tmp_path: Path) -> None:
    folder = copied("langfuse", tmp_path)
    path = folder / "observations_v2/2026-11-02.jsonl"
    found = lines(path)
    for entry in found:
        entry["latency"] *= 1000
    rewrite(path, found)
    assert attempts(folder) == attempts(sample("langfuse"))
    path = folder / "scores/2026-11-02.jsonl"
    rewrite(path, [*lines(path), {**lines(path)[0], "name": "style", "value": 0}])
    with pytest.raises(MarketError, match="several scorers: choose one with --scorer tests or --scorer style"):
        attempts(folder)
    assert one(folder, "acme/small-1", "add", 1, "solved", scorer="style") == (0,)


def test_otel_sums_no_agent_spans_and_knows_older_names(tmp_path: Path) -> None:
    assert one(*sample("otel-genai"), "acme/small-1", "add", 1, "input_tokens, cached_tokens") == (2200, 800)
    folder = copied("otel-genai", tmp_path)
    for new, old in (
        ("usage.cache_read.input_tokens", "usage.cache_read_input_tokens"),
        ("usage.input_tokens", "usage.prompt_tokens"),
        ("usage.output_tokens", "usage.completion_tokens"),
        ("gen_ai.provider.name", "gen_ai.system"),
    ):
        path = folder / "traces.jsonl"
        path.write_text(path.read_text().replace(new, old))
    assert attempts(folder) == attempts(sample("otel-genai"))


def test_inspect_asks_which_scorer_counts_and_takes_the_model_not_the_grader() -> None:
    with pytest.raises(MarketError, match="several scorers: choose one with --scorer match or --scorer judge"):
        attempts(sample("inspect"))
    assert one(sample("inspect")[0], "mockllm/cheap", "add", 1, "input_tokens, cost", scorer="match") == (
        150,
        pytest.approx(0.000185),
    )


def test_inspect_reads_json_and_counts_runs_of_one_model_together() -> None:
    found = attempts(FORMATS / "inspect", "attempt, time", scorer="match", format="inspect")
    assert [attempt for attempt, _ in found[:4]] == [1, 2, 3, 4]
    assert sorted(time for _, time in found[:4]) == [time for _, time in found[:4]]


def test_inspect_reads_the_journal_of_a_log_that_was_killed(tmp_path: Path) -> None:
    from backports.zstd import zipfile

    whole = sample("inspect")[0]
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(tmp_path / "killed.eval", "w") as target:
        for name in source.namelist():
            if name.startswith("_journal/"):
                target.writestr(name, source.read(name))
    assert attempts(tmp_path / "killed.eval", scorer="match") == attempts(whole, scorer="match")


def test_inspect_leaves_out_a_second_copy_of_an_evaluation(tmp_path: Path) -> None:
    whole = sample("inspect")[0]
    (tmp_path / "copy.eval").write_bytes(whole.read_bytes())
    assert attempts([tmp_path], scorer="match") == attempts(whole, scorer="match")
    (tmp_path / "again.eval").write_bytes(whole.read_bytes())
    assert attempts([tmp_path], scorer="match") == attempts(whole, scorer="match")


def test_inspect_takes_a_graders_share_from_a_model_that_grades_itself(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text((FORMATS / "inspect/2026-11-27T21-02-03-00-00_arithmetic_YHFqorT65xqfGBdqp9gALE.json").read_text())

    def graded_by_itself(log: dict[str, Any]) -> None:
        log["eval"]["model_roles"]["grader"]["model"] = "mockllm/cheap"
        for one_sample in log["samples"]:
            usage, grader = one_sample["model_usage"]["mockllm/cheap"], one_sample["role_usage"]["grader"]
            for name, value in grader.items():
                usage[name] = (usage.get(name) or 0) + value

    before = attempts(path, "cost, input_tokens, output_tokens", scorer="match")
    edited(path, graded_by_itself)
    after = attempts(path, "cost, input_tokens, output_tokens", scorer="match")
    assert [row[1:] for row in after] == [row[1:] for row in before]
    assert [row[0] for row in after] == pytest.approx([row[0] for row in before], rel=1e-9)


@pytest.mark.parametrize("name", ["langfuse", "litellm", "openrouter"])
def test_call_logs_are_read_from_parquet_as_well(name: str, tmp_path: Path) -> None:
    from eqsolver.logs._store import Store

    folder = copied(name, tmp_path)
    with Store.opened() as store:
        for path in [*folder.rglob("*.jsonl"), *folder.rglob("LiteLLM*.csv")]:
            read = "read_csv" if path.suffix == ".csv" else "read_ndjson"
            inner = "SELECT unnest(data)" if name == "openrouter" else "SELECT *"
            store.run(f"COPY ({inner} FROM {read}('{path}')) TO '{path.with_suffix('.parquet')}' (FORMAT parquet)")
            path.unlink()
    assert attempts(folder) == attempts(sample(name))


def test_what_belongs_to_no_attempt_is_counted(tmp_path: Path) -> None:
    folder = copied("litellm", tmp_path)
    (folder / "verdicts.csv").write_text("session_id,solved\ns-01,1\ns-99,1\n")
    with read_attempts([folder], LogOptions()) as found:
        assert found.omitted == {"calls without session_id": 1, "verdicts without an attempt": 1}
        assert list(found.remarks.values()) == [1]
        assert found.store.rows("SELECT count(*) FROM attempts WHERE error = 'no verdict'") == [(3,)]
