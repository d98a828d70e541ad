#pragma once

#include "core/base/run/run_file.h"
#include "tests/support/catch.h"

namespace wkvq::test {

struct Number {
  std::string name;
  std::string metric = {};
  double value = 0;
  double error = 0;
  std::string kv_mode = "past";
  std::string convention = "windows of 512 tokens, BOS in front";
};

inline void record(Recorder& recorder, const Number& number) {
  const std::string group = "/evaluation/" + number.name;
  recorder.attribute(group, "metric", number.metric);
  recorder.attribute(group, "value", number.value);
  recorder.attribute(group, "stderr", number.error);
  recorder.attribute(group, "n", int64_t{1024});
  recorder.attribute(group, "kv_mode", number.kv_mode);
  recorder.attribute(group, "convention", number.convention);
  recorder.attribute(group, "dataset", "self");
  recorder.attribute(group, "task", "perplexity");
  recorder.column(group, "nll", std::vector<float>{1.5F, 2.5F});
}

/// Configuration of a small sweep over KV bits and the weights' method.
inline std::string config(const std::string& method, int bits) {
  return fmt::format(
      "name: demo\nmodel: {{path: datasets/mini, dtype: float32}}\nmethod:\n  name: {}\n"
      "  weight: {{bits: 4}}\n  kv: {{bits: {}, symmetric: false}}\n",
      method, bits);
}

/// A finished run file `folder`/`id`.h5.
inline std::filesystem::path write_run(const std::filesystem::path& folder, const std::string& id,
                                       const std::string& yaml,
                                       const std::vector<Number>& numbers) {
  const std::filesystem::path path = folder / (id + ".h5");
  RunFileWriter writer(path, {id, "demo", yaml});
  for (const Number& number : numbers) record(writer, number);
  writer.attribute("/cost", "seconds_total", 1.5);
  writer.attribute("/cost", "peak_bytes_host", int64_t{1000});
  writer.finish();
  return path;
}

}  // namespace wkvq::test
