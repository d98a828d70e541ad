#include "datasets/tokenizers/bpe_reader.h"

#include <sstream>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"

namespace wkvq {
namespace {

void read_vocabulary(const JsonNode& node, BpeData& data) {
  for (const auto& [token, id] : node.object().items()) {
    const int64_t value =
        JsonNode(id, fmt::format("{}['{}']", node.where(), shown(token))).integer();
    if (value < 0 || value >= kTokenIdLimit) {
      config_error("{}: token '{}' has id {}, expected 0 to {}", node.where(), shown(token), value,
                   kTokenIdLimit - 1);
    }
    data.vocabulary.emplace_back(token, static_cast<int32_t>(value));
  }
}

std::pair<std::string, std::string> parse_merge(const std::string& line, const std::string& where) {
  const size_t space = line.find(' ');
  if (space == 0 || space == line.npos || space + 1 == line.size() ||
      line.find(' ', space + 1) != line.npos) {
    config_error("{}: given merge '{}', expected two tokens with a space between them", where,
                 shown(line));
  }
  return {line.substr(0, space), line.substr(space + 1)};
}

void read_merges(const JsonNode& node, BpeData& data) {
  for (size_t rank = 0; rank < node.size(); ++rank) {
    // Newer files have pairs, older ones lines like merges.txt.
    if (const JsonNode merge = node.at(rank); !merge.value().is_array()) {
      data.merges.push_back(parse_merge(merge.text(), merge.where()));
    } else if (merge.size() == 2) {
      data.merges.emplace_back(merge.at(size_t{0}).text(), merge.at(1).text());
    } else {
      config_error("{}: has {} elements, expected 2 tokens", merge.where(), merge.size());
    }
  }
}

}  // namespace

BpeData read_bpe(const JsonNode& model, bool byte_level) {
  // Files from before other models existed have no type.
  const std::string type = model.text_or("type", model.has("merges") ? "BPE" : "");
  if (type != "BPE") model.unsupported(type, "BPE");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model.text_or(key, "").empty()) {
      config_error("{}.{} '{}' is not supported", model.where(), key, model.text(key));
    }
  }
  if (model.has("dropout") && model.at("dropout").value() != 0.0) {
    config_error("{}.dropout is not supported; expected null or 0", model.where());
  }
  BpeData data;
  data.where = model.where();
  data.unk_token = model.text_or("unk_token", "");
  data.fuse_unk = model.flag_or("fuse_unk", false);
  data.byte_fallback = model.flag_or("byte_fallback", false);
  data.ignore_merges = model.flag_or("ignore_merges", false);
  data.byte_level = byte_level;
  read_vocabulary(model.at("vocab"), data);
  read_merges(model.at("merges"), data);
  return data;
}

BpeData read_bpe_files(const JsonNode& vocabulary, const std::string& merges,
                       const std::string& merges_name) {
  BpeData data;
  data.where = merges_name;
  data.byte_level = true;
  read_vocabulary(vocabulary, data);
  std::istringstream lines(merges);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.starts_with("#version")) continue;
    data.merges.push_back(parse_merge(line, fmt::format("{}:{}", merges_name, number)));
  }
  return data;
}

}  // namespace wkvq
