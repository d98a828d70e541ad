#pragma once

#include <numeric>

#include "tests/support/run_files.h"

namespace wkvq::test {

/// An evaluation with raw rows of tokens: windows of two tokens at positions 1 and 2.
struct TokenRows {
  std::string name, metric, column;  ///< column: nll or kl
  std::vector<float> values;
  double value = 0, error = 0;
};

inline void record(Recorder& recorder, const TokenRows& rows) {
  const std::string group = "/evaluation/" + rows.name;
  recorder.attribute(group, "metric", rows.metric);
  recorder.attribute(group, "value", rows.value);
  recorder.attribute(group, "stderr", rows.error);
  recorder.attribute(group, "n", static_cast<int64_t>(rows.values.size()));
  recorder.attribute(group, "kv_mode", "past");
  recorder.attribute(group, "convention", "windows of 3 tokens");
  recorder.attribute(group, "dataset", "self");
  recorder.attribute(group, "data_fingerprint", "abc");
  std::vector<int64_t> window, position;
  for (size_t i = 0; i < rows.values.size(); ++i) {
    window.push_back(static_cast<int64_t>(i / 2));
    position.push_back(static_cast<int64_t>(i % 2 + 1));
  }
  recorder.column(group, "window", window);
  recorder.column(group, "position", position);
  recorder.column(group, rows.column, rows.values);
}

/// An evaluation "acc.self.past" of items: the right choice of each, and the one that was picked.
inline void record_items(Recorder& recorder, const std::vector<int64_t>& label,
                         const std::vector<int64_t>& prediction) {
  const std::string group = "/evaluation/acc.self.past";
  for (const auto& [name, text] :
       std::vector<std::pair<const char*, const char*>>{{"metric", "acc"},
                                                        {"kv_mode", "past"},
                                                        {"convention", "choices of two words"},
                                                        {"dataset", "self"},
                                                        {"task", "cloze"},
                                                        {"data_fingerprint", "abc"}})
    recorder.attribute(group, name, std::string(text));
  recorder.attribute(group, "value", 0.5);
  recorder.attribute(group, "stderr", 0.25);
  recorder.attribute(group, "n", static_cast<int64_t>(label.size()));
  std::vector<int64_t> item(label.size());
  std::iota(item.begin(), item.end(), 0);
  recorder.column(group, "item", item);
  recorder.column(group, "label", label);
  recorder.column(group, "prediction", prediction);
}

/// A finished run `folder`/kv<bits>.h5 with rows of tokens; `more` writes what else it has.
template <class More>
std::filesystem::path token_run(const std::filesystem::path& folder, int bits,
                                const std::vector<TokenRows>& evaluations, More&& more) {
  const std::string id = fmt::format("kv{}", bits);
  const std::filesystem::path path = folder / (id + ".h5");
  RunFileWriter writer(path, {id, "demo",
                              fmt::format("name: demo\nmodel: {{path: mini}}\nmethod: {{name: rtn, "
                                          "weight: {{bits: 16}}, kv: {{bits: {}}}}}\n",
                                          bits)});
  for (const TokenRows& rows : evaluations) record(writer, rows);
  more(writer);
  writer.finish();
  return path;
}

inline std::filesystem::path token_run(const std::filesystem::path& folder, int bits,
                                       const std::vector<TokenRows>& evaluations) {
  return token_run(folder, bits, evaluations, [](Recorder&) {});
}

}  // namespace wkvq::test
