#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "datasets/corpora/dataset.h"
#include "datasets/tasks/common/task.h"

namespace wkvq::test {

/// Bytes as tokens: byte b is b + 3; 0 is unused, 1 is BOS (written "<s>" in text), 2 is EOS.
class ByteTokenizer final : public Tokenizer {
 public:
  explicit ByteTokenizer(bool adds_bos, int64_t bos = 1) : adds_bos_(adds_bos), bos_(bos) {}

  std::vector<int32_t> encode(std::string_view text, bool add_special) const override {
    std::vector<int32_t> ids;
    if (add_special && adds_bos_) ids.push_back(1);
    while (!text.empty()) {
      const bool special = text.starts_with("<s>");
      ids.push_back(special ? 1 : static_cast<unsigned char>(text[0]) + 3);
      text.remove_prefix(special ? 3 : 1);
    }
    return ids;
  }
  std::string decode(const std::vector<int32_t>& ids) const override {
    std::string text;
    for (const int32_t id : ids) {
      text += id == 1 ? "<s>" : id == 2 ? "</s>" : std::string(1, static_cast<char>(id - 3));
    }
    return text;
  }
  int64_t vocab_size() const override { return 259; }
  int64_t bos_token() const override { return bos_; }
  int64_t eos_token() const override { return 2; }
  bool adds_bos() const override { return adds_bos_; }
  std::string fingerprint() const override { return "bytes"; }

 private:
  bool adds_bos_;
  int64_t bos_;
};

/// Sets options from text, e.g. {{"path", "a.txt"}, {"bos", "none"}}.
class SetOptions final : public OptionVisitor {
 public:
  explicit SetOptions(std::map<std::string, std::string> values) : values_(std::move(values)) {}
  ~SetOptions() override = default;

  /// Every value must have found its option.
  void finish() const {
    if (!values_.empty()) throw ConfigError("unknown option " + values_.begin()->first);
  }
  void reject(const char* name, const std::string& why) override {
    throw ConfigError(fmt::format("{}: {}", name, why));
  }
  Purpose purpose() const override { return Purpose::kRead; }

 protected:
  void field(const char* name, bool& value, const char*) override {
    if (take(name)) value = taken_ == "true";
  }
  void field(const char* name, int64_t& value, const char*) override {
    if (take(name)) value = std::stoll(taken_);
  }
  void field(const char* name, double& value, const char*) override {
    if (take(name)) value = std::stod(taken_);
  }
  void field(const char* name, std::string& value, const char*) override {
    if (take(name)) value = taken_;
  }
  void field(const char*, std::vector<int64_t>&, const char*) override {}
  void choice_field(const char* name, int& index, const std::vector<std::string>& names,
                    const char*) override {
    if (!take(name)) return;
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] == taken_) {
        index = static_cast<int>(i);
        return;
      }
    }
    throw ConfigError(fmt::format("{}: unknown choice {}", name, taken_));
  }
  bool begin_struct(const char*, const char*) override { return true; }
  void end_struct() override {}

 private:
  bool take(const char* name) {
    const auto found = values_.find(name);
    if (found == values_.end()) return false;
    taken_ = found->second;
    values_.erase(found);
    return true;
  }

  std::map<std::string, std::string> values_;
  std::string taken_;
};

using Options = std::map<std::string, std::string>;

inline std::unique_ptr<Dataset> dataset(const std::string& name, const Options& options) {
  auto made = make_dataset(name);
  SetOptions set(options);
  made->visit(set);
  set.finish();
  return made;
}

inline std::unique_ptr<Task> task(const std::string& name, const Options& options) {
  auto made = make_task(name);
  SetOptions set(options);
  made->visit(set);
  set.finish();
  return made;
}

inline DatasetContext context_of(const Tokenizer* tokenizer, int64_t vocab_size = 259) {
  return {tokenizer, nullptr, vocab_size, "tiny"};
}

/// A corpus of running text 0, 1, 2, ...
inline Corpus counting(int32_t tokens) {
  Corpus corpus;
  for (int32_t i = 0; i < tokens; ++i) corpus.stream.push_back(i);
  corpus.convention = "counting";
  return corpus;
}

/// What a task gets that reads `corpus`, which must outlive the call.
inline TaskInputs inputs(const Corpus& corpus, int64_t max_context) {
  return {.corpus = &corpus, .max_context = max_context};
}

template <class T>
const std::vector<T>& rows(const Metric& metric, const std::string& column) {
  return std::get<std::vector<T>>(metric.rows.at(column));
}

}  // namespace wkvq::test
