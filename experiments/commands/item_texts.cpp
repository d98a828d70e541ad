#include "experiments/commands/item_texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "core/base/checkpoint/model_path.h"
#include "core/base/error.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/yaml/yaml_node.h"
#include "core/model/checkpoint.h"
#include "datasets/tokenizers/tokenizer.h"
#include "experiments/config/run_config.h"
#include "experiments/session/sampled_text.h"

namespace wkvq {
namespace {

std::string text_attribute(const RunSummary& run, const std::string& group,
                           const std::string& name) {
  const auto value = hdf5::Reader(run.path).attribute(group, name);
  const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
  if (!text) config_error("the run file does not say {} of {}", name, group);
  return *text;
}

std::string text_of(YamlNode& map, const char* key) {
  const YamlEntry* entry = map.find(key);
  return entry && entry->value.is_scalar() ? entry->value.text : std::string();
}

/// The run's configuration with that entry of `evaluate:` alone that gave `evaluation`, as far as
/// its items go: run files have the KV mode of an entry in the place of what it was made of.
RunConfig config_of(const RunSummary& run, const Evaluation& evaluation) {
  YamlNode whole = parse_yaml(text_attribute(run, "/config", "yaml"), run.path.string());
  YamlEntry* list = whole.find("evaluate");
  for (const YamlNode& item : list ? list->value.items : std::vector<YamlNode>()) {
    YamlNode entry = item;
    const std::string name = text_of(entry, "name"), kv_mode = text_of(entry, "kv_mode");
    std::erase_if(entry.entries, [](const YamlEntry& one) {
      return one.key.text == "name" || one.key.text == "kv_mode" || one.key.text == "storage";
    });
    YamlNode single = whole;
    single.find("evaluate")->value.items = {entry};
    RunConfig config = read_run_config(single);
    const std::string place = name.empty() ? config.evaluations[0].label() + "." + kv_mode : name;
    if (evaluation.name == evaluation.metric + "." + place) return config;
  }
  config_error("the configuration has no such evaluation");
}

/// The requests of an entry, made again.
struct Made {
  std::unique_ptr<Tokenizer> tokenizer;
  std::vector<Request> requests;
};

Made make_again(const RunSummary& run, const Evaluation& evaluation,
                const std::filesystem::path& data) {
  const RunConfig config = config_of(run, evaluation);
  const EvaluationEntry& entry = config.evaluations[0];
  const std::filesystem::path folder = resolve_model_path(config.model.path);
  const Checkpoint checkpoint(folder);
  Made made{has_tokenizer(folder) ? load_tokenizer(folder) : nullptr, {}};
  if (!made.tokenizer) config_error("the model comes without a tokenizer");
  const int64_t vocab_size = checkpoint.config().vocab_size;
  const DatasetContext context{
      .tokenizer = made.tokenizer.get(),
      .sample_self = [&](int64_t count, int64_t length, int64_t seed) -> Texts {
        auto text = shipped_text(folder, seed, {count, length, vocab_size});
        if (!text) config_error("the text was sampled by the model, which is not done again here");
        return std::move(*text);
      },
      .vocab_size = vocab_size,
      .model_name = model_name(config.model.path)};
  std::optional<Corpus> corpus;
  if (entry.data.dataset) corpus = entry.data.dataset->load(context);
  made.requests = entry.task->prepare({.corpus = corpus ? &*corpus : nullptr,
                                       .text = &context,
                                       .max_context = checkpoint.config().max_positions,
                                       .longest_context = checkpoint.config().longest_context(),
                                       .data_folder = data});
  std::string fingerprint = entry.task->data_fingerprint();
  if (corpus && fingerprint.empty()) fingerprint = corpus->fingerprint;
  if (fingerprint != text_attribute(run, "/evaluation/" + evaluation.name, "data_fingerprint"))
    config_error("the data have changed since the run");
  return made;
}

/// Where the requests of each item begin, and where the last ends. Items whose choices are asked
/// once more without a context (acc_mutual_info) have two runs of requests: the first is theirs.
std::vector<size_t> starts_of(const std::vector<Request>& requests, size_t count) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < requests.size(); ++i)
    if (i == 0 || requests[i].item < 0 || requests[i].item != requests[i - 1].item)
      starts.push_back(i);
  starts.push_back(requests.size());
  const size_t parts = (starts.size() - 1) / count;
  if (parts * count != starts.size() - 1 || parts < 1 || parts > 2)
    config_error("the evaluation is of a part of its task's items");
  return starts;
}

ItemText text_of(const Made& made, size_t first, size_t last) {
  const Request& request = made.requests[first];
  // A prompt to go on from has no choices.
  if (request.generation.max_tokens > 0) return {made.tokenizer->decode(request.tokens), {}};
  ItemText text;
  std::vector<std::string> wholes;
  for (size_t i = first; i < last; ++i) {
    const auto& [tokens, score_from] =
        std::tie(made.requests[i].tokens, made.requests[i].score_from);
    const auto split = tokens.begin() + score_from;
    text.choices.push_back(made.tokenizer->decode({split, tokens.end()}));
    wholes.push_back(made.tokenizer->decode(tokens));
    if (i == first) text.context = made.tokenizer->decode({tokens.begin(), split});
  }
  // Several contexts with one continuation: these are the choices.
  if (wholes.size() > 1 && std::ranges::count(text.choices, text.choices[0]) ==
                               static_cast<std::ptrdiff_t>(wholes.size()))
    return {"", wholes};
  return text;
}

}  // namespace

ItemTextSource item_text_source(std::filesystem::path data) {
  return [data = std::move(data)](const RunSummary& run, const Evaluation& evaluation,
                                  const std::vector<size_t>& rows, size_t count) -> ItemTexts {
    try {
      const Made made = make_again(run, evaluation, data);
      const std::vector<size_t> starts = starts_of(made.requests, count);
      const size_t parts = (starts.size() - 1) / count;
      ItemTexts texts;
      for (const size_t row : rows)
        texts.items.push_back(text_of(made, starts[row * parts], starts[row * parts + 1]));
      return texts;
    } catch (const ConfigError& error) {
      return {{}, fmt::format("Texts of items are not at hand: {}.", error.what())};
    }
  };
}

}  // namespace wkvq
