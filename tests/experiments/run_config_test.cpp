#include "experiments/config/run_config.h"

#include <set>

#include "tests/support/catch.h"

using namespace wkvq;

namespace {

const std::string kModel = "model: {path: m}\n";
const std::string kMethod = "method: {name: rtn, weight: {bits: 4}, kv: {bits: 4}}\n";
const std::string kEntry = "{task: perplexity, dataset: {name: self}";

RunConfig read(const std::string& text) {
  const YamlNode node = parse_yaml(text, "s.yaml");
  return read_run_config(node);
}

/// A run with one perplexity entry that also has the fields `more`.
RunConfig with_entry(const std::string& more) {
  return read(fmt::format("{}{}evaluate: [{}{}}}]\n", kModel, kMethod, kEntry, more));
}

RunConfig with_method(const std::string& method) {
  return read(fmt::format("{}method: {}\nevaluate: [{}}}]\n", kModel, method, kEntry));
}

std::string mode_of(const std::string& more) {
  const RunConfig config = with_entry(more);
  return config.kv_mode(config.evaluations.at(0));
}

}  // namespace

TEST_CASE("run config: what is left out has the documented defaults") {
  const RunConfig config = with_entry("");
  CHECK(config.model.path == "m");
  CHECK(config.model.dtype == ModelDtype::kFloat32);
  CHECK(config.model.device == "cpu");
  CHECK(config.model.blocks == Residency::kAuto);
  CHECK(config.method_name == "rtn");
  CHECK_FALSE(config.calibration);
  const EvaluationEntry& entry = config.evaluations.at(0);
  CHECK(entry.engine == Engine::kOnePass);
  CHECK_FALSE(entry.own_view);
  CHECK_FALSE(entry.context_prefill);
  CHECK(config.metric_name(entry, "kl") == "kl.self.past");
  // A question's context is a prompt, a window of running text is not.
  const RunConfig cloze =
      read(kModel + kMethod + "evaluate: [{task: cloze, dataset: {name: self}}]");
  CHECK(cloze.evaluations.at(0).context_prefill);
  CHECK(cloze.metric_name(cloze.evaluations.at(0), "acc") == "acc.self.past-context");
}

TEST_CASE("run config: the KV mode says all that decides which tokens are exact") {
  CHECK(mode_of(", view: {mode: none}") == "none");
  CHECK(mode_of(", view: {mode: all}") == "all");
  CHECK(mode_of(", view: {mode: past, window: 32, sinks: 4}") == "past-w32-s4");
  CHECK(mode_of(", view: {mode: past, prefill: 256}") == "past-p256");
  CHECK(mode_of(", view: {mode: kivi, window: 128}") == "kivi-w128");
  CHECK(mode_of(", context_prefill: true") == "past-context");
  CHECK(mode_of(", context_prefill: true, view: {mode: all}") == "all");  // only the past has one
  CHECK(mode_of(", engine: cache") == "past-cache");
  CHECK(mode_of(", engine: cache, context_prefill: true") == "past-context-cache");
}

TEST_CASE("run config: a name replaces data set and mode in the metric's name") {
  const RunConfig config = with_entry(", name: mine, view: {mode: all}");
  CHECK(config.metric_name(config.evaluations.at(0), "perplexity") == "perplexity.mine");
  CHECK(config.kv_mode(config.evaluations.at(0)) == "all");
}

TEST_CASE("run config: an entry's own view goes before the method's") {
  const std::string method = "method: {name: rtn, kv: {bits: 4, view: {mode: past, window: 8}}}\n";
  const RunConfig config =
      read(kModel + method + "evaluate: [" + kEntry + "}, " + kEntry + ", view: {mode: past}}]\n");
  CHECK(config.kv_mode(config.evaluations.at(0)) == "past-w8");
  // Given at all, it starts from the defaults, not from the method's fields.
  CHECK(config.kv_mode(config.evaluations.at(1)) == "past");
}

TEST_CASE("run config: key and value override single fields of both") {
  const RunConfig config = with_method(
      "{name: rtn, kv: {bits: 4, group_size: 32, key: {bits: 8}, value: {form: symmetric}}}");
  const KvOptions& kv = config.method->kv();
  CHECK(kv.key.bits == 8);
  CHECK(kv.value.bits == 4);
  CHECK(kv.key.group_size == 32);
  CHECK(kv.value.group_size == 32);
  CHECK(kv.key.form == QuantForm::kMinimum);
  CHECK(kv.value.form == QuantForm::kSymmetric);
}

TEST_CASE("run config: the identity has no paths but the labels that name metrics") {
  CHECK(with_entry("").identity_yaml().find("path: ") == std::string::npos);
  const auto identity = [](const std::string& model, const std::string& data) {
    return read(fmt::format("model: {{path: {}}}\nmethod: {{name: rtn}}\nevaluate: [{{task: "
                            "perplexity, dataset: {{name: text, path: {}}}}}]\n",
                            model, data))
        .identity_yaml();
  };
  CHECK(identity("a", "x/t.txt") == identity("b/c", "y/t.txt"));
  CHECK(identity("a", "x/t.txt") != identity("a", "x/u.txt"));
}

TEST_CASE("run config: every option that can change a number changes the canonical text") {
  std::set<std::string> texts = {with_entry("").canonical_yaml()};
  const auto differs = [&](const RunConfig& config) {
    INFO(config.canonical_yaml());
    CHECK(texts.insert(config.canonical_yaml()).second);
  };
  for (const char* more :
       {", context: 64", ", windows: 3", ", score_from: 2", ", kl: true", ", engine: cache",
        ", context_prefill: true", ", view: {mode: all}", ", view: {mode: none}",
        ", view: {mode: past, window: 2}", ", view: {mode: past, sinks: 1}",
        ", view: {mode: past, prefill: 1}", ", view: {mode: kivi, window: 2}", ", name: x"}) {
    differs(with_entry(more));
  }
  for (const char* method :
       {"{name: rtn, weight: {bits: 4}, kv: {bits: 3}}",
        "{name: rtn, weight: {bits: 3}, kv: {bits: 4}}",
        "{name: rtn, weight: {bits: 4, group_size: 8}, kv: {bits: 4}}",
        "{name: rtn, weight: {bits: 4, form: minimum}, kv: {bits: 4}}",
        "{name: rtn, weight: {bits: 4, range: raw}, kv: {bits: 4}}",
        "{name: rtn, weight: {bits: 4, per_tensor: true}, kv: {bits: 4}}",
        "{name: rtn, weight: {bits: 4, scale_dtype: float16}, kv: {bits: 4}}",
        "{name: rtn, weight: {bits: 4}, kv: {bits: 4, key: {bits: 3}}}",
        "{name: rtn, weight: {bits: 4}, kv: {bits: 4, value: {bits: 3}}}",
        "{name: rtn, weight: {bits: 4}, kv: {bits: 4, group_size: 8}}",
        "{name: rtn, weight: {bits: 4}, kv: {bits: 4, outliers: 0.1}}",
        "{name: rtn, weight: {bits: 4}, kv: {bits: 4, key: {rope: before}}}"}) {
    differs(with_method(method));
  }
  for (const char* dataset : {"{name: self, samples: 3}", "{name: self, length: 7}",
                              "{name: self, seed: 5}", "{name: text, path: t}"}) {
    differs(read(fmt::format("{}{}evaluate: [{{task: perplexity, dataset: {}}}]", kModel, kMethod,
                             dataset)));
  }
}

TEST_CASE("run config: what spells the same run has the same canonical text") {
  const std::string plain = with_entry("").canonical_yaml();
  CHECK(with_entry(", view: {mode: past}").canonical_yaml() == plain);
  CHECK(with_entry(", engine: one_pass, score_from: 1").canonical_yaml() == plain);
  CHECK(read("evaluate:\n- dataset: {name: self}\n  task: perplexity\n" + kMethod + kModel)
            .canonical_yaml() == plain);
  CHECK(with_method("{kv: {bits: 4}, weight: {bits: 4, group_size: -1}, name: rtn}")
            .canonical_yaml() == plain);
  CHECK(with_method("{name: rtn, weight: {bits: 4}, kv: {bits: 4, key: {bits: 4}}}")
            .canonical_yaml() == plain);
}

TEST_CASE("run config: two entries that would report one name are refused") {
  const auto two = [](const std::string& first, const std::string& second) {
    return test::error_of([&] {
      read(kModel + kMethod + "evaluate: [" + kEntry + first + "}, " + kEntry + second + "}]");
    });
  };
  const std::string clash = "two entries would report 'perplexity.self.past'";
  CHECK(two("", ", context: 64").find(clash) != std::string::npos);
  CHECK(two("", ", name: self.past").find(clash) != std::string::npos);
  CHECK(two("", ", view: {mode: all}").empty());
  CHECK(two("", ", name: other").empty());
  CHECK(two("", ", engine: cache").empty());
}

TEST_CASE("run config: what cannot be run is refused with its place") {
  REQUIRE_CONFIG_ERROR(with_entry(", name: a/b"), "evaluate.0.name: expected no '/'");
  REQUIRE_CONFIG_ERROR(with_entry(", view: {mode: all, window: 2}"),
                       "only modes past, kivi and tiles");
  REQUIRE_CONFIG_ERROR(with_entry(", view: {mode: kivi, sinks: 1}"),
                       "only modes past and tiles keep sinks");
  REQUIRE_CONFIG_ERROR(with_entry(", view: {window: 0}"), "evaluate.0.view.window: 0; expected");
  REQUIRE_CONFIG_ERROR(with_entry(", viewe: {}"), "evaluate.0: unknown key 'viewe'");
  REQUIRE_CONFIG_ERROR(read("model: {}\n" + kMethod + "evaluate: []"), "model.path: missing");
  REQUIRE_CONFIG_ERROR(read(kModel + kMethod + "evaluate: []"), "expected at least one entry");
  REQUIRE_CONFIG_ERROR(read(kModel + kMethod), "key 'evaluate' is missing");
  REQUIRE_CONFIG_ERROR(with_method("{name: rtn, kv: {channel: {shift: static}, bits: 4}}"),
                       "these options need calibration text");
  const std::string calibration = "calibration: {dataset: {name: self}, ";
  const auto calibrated = [&](const std::string& rest) {
    return read(kModel + kMethod + calibration + rest + "}\nevaluate: [" + kEntry + "}]");
  };
  CHECK(calibrated("samples: 3").calibration->samples == 3);
  REQUIRE_CONFIG_ERROR(calibrated("samples: 0"), "calibration.samples: 0; expected at least 1");
  REQUIRE_CONFIG_ERROR(calibrated("length: 1"), "calibration.length: 1; expected at least 2");
}
