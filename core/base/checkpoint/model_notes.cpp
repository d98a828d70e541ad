#include "core/base/checkpoint/model_notes.h"

#include <fmt/ranges.h>

#include "core/base/gguf/gguf.h"
#include "core/base/json/json.h"
#include "core/base/json/json_fields.h"

namespace wkvq {
namespace {

std::vector<std::string> chat_templates(const std::filesystem::path& folder) {
  std::vector<std::string> found;
  for (const char* name :
       {"chat_template.jinja", "chat_template.json", "additional_chat_templates"}) {
    if (std::filesystem::exists(folder / name)) found.emplace_back(name);
  }
  const std::filesystem::path path = folder / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) return found;
  const nlohmann::json json = read_json_file(path);
  if (JsonFields(json, path.string()).find("chat_template"))
    found.emplace_back("chat_template of tokenizer_config.json");
  return found;
}

}  // namespace

std::vector<std::string> model_notes(const std::filesystem::path& folder,
                                     const ModelConfig& config) {
  std::vector<std::string> notes;
  if (is_gguf(folder)) return notes;
  const std::filesystem::path path = folder / "config.json";
  const nlohmann::json json = read_json_file(path);
  const JsonFields fields(json, path.string());
  if (fields.boolean("tie_word_embeddings", false) && !config.tie_embeddings)
    notes.push_back(fmt::format(
        "{} says tie_word_embeddings, but the weights hold another lm_head.weight; theirs is used",
        path.string()));
  if (config.sliding_window == 0 && config.family == "llama" && fields.find("sliding_window"))
    notes.push_back(
        fmt::format("{}: sliding_window changes nothing in family llama", path.string()));
  if (const auto templates = chat_templates(folder); !templates.empty())
    notes.push_back(fmt::format("{}: {} not used; text goes in as it is", folder.string(),
                                fmt::join(templates, ", ")));
  return notes;
}

}  // namespace wkvq
