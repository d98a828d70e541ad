#include "datasets/corpora/ptb.h"

#include <array>
#include <utility>

#include "core/base/checkpoint/model_path.h"
#include "core/base/error.h"
#include "datasets/corpora/documents.h"
#include "datasets/readers/text_file.h"

namespace wkvq {

namespace {

struct Split {
  const char* name;                   ///< of its JSON lines
  const char* file;                   ///< of the published text
  std::array<const char*, 2> others;  ///< what files of other splits are called
};
constexpr Split kTest = {"test", "ptb.test.txt", {"valid", "train"}};
constexpr Split kValidation = {"validation", "ptb.valid.txt", {"test", "train"}};

std::filesystem::path find_file(const std::filesystem::path& path, const Split& split) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    const std::string lines = std::string(split.name) + ".jsonl";
    for (const std::string& name : {std::string(split.file), lines})
      if (std::filesystem::exists(path / name, error)) return path / name;
    config_error("{}: neither {} nor {} in this folder", path.string(), split.file, lines);
  }
  // A wrong split would go into every table under the name of another.
  const std::string name = path.filename().string();
  for (const char* other : split.others)
    if (name.find(other) != std::string::npos)
      config_error("{} looks like another split; expected {} for this variant", path.string(),
                   split.name);
  return path;
}

struct Sentences {
  std::vector<std::string> rows;
  PlainText read;  ///< its note and warning
};

/// The data set's rows: lines without white space at their ends (a line of the file has a space at
/// either end).
Sentences read_sentences(const std::filesystem::path& file) {
  if (file.extension() == ".jsonl") return {read_jsonl(file, "sentence", 0), {}};
  PlainText read = read_plain_text(file);
  const std::string text = std::exchange(read.text, {});
  std::vector<std::string> sentences;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    sentences.emplace_back(strip_space(std::string_view(text).substr(start, end - start)));
    start = end + 1;
  }
  if (sentences.empty()) config_error("{}: no sentences", file.string());
  return {std::move(sentences), std::move(read)};
}

std::string join(const std::vector<std::string>& sentences, const std::string& separator) {
  std::string text = sentences.front();
  for (size_t i = 1; i < sentences.size(); ++i) text += separator + sentences[i];
  return text;
}

}  // namespace

void PtbDataset::visit(OptionVisitor& v) {
  v("path", path_, "ptb.test.txt or ptb.valid.txt, rows as .jsonl (field sentence), or a folder");
  v.choice("variant", variant_, {"new", "old"},
           "new: test split joined by spaces; old: validation split joined by blank lines");
  v.choice("bos", bos_, bos_rule_names(),
           "BOS as the tokenizer's files ask, none, or one at the start");
  if (path_.empty()) v.reject("path", "expected a file or folder");
}

std::string PtbDataset::summary() const {
  return "Penn Treebank in the conventions ptb-new and ptb of the GPTQ tables";
}

std::string PtbDataset::label() const {
  return variant_ == Variant::kNew ? "ptb-new" : "ptb";
}

Corpus PtbDataset::load(const DatasetContext& context) const {
  const bool old = variant_ == Variant::kOld;
  const std::filesystem::path file = find_file(expand_home(path_), old ? kValidation : kTest);
  const auto [sentences, read] = read_sentences(file);
  const std::string text = join(sentences, old ? "\n\n" : " ");
  Corpus corpus;
  corpus.stream = encode_text(context, text, bos_);
  corpus.convention =
      fmt::format("PTB {}: {} sentences of the {} split{} joined by {}, tokenized once, {}",
                  old ? "old" : "new", sentences.size(), old ? "validation" : "test", read.note,
                  old ? "\"\\n\\n\"" : "\" \"", bos_words(context, bos_));
  if (!read.warning.empty()) corpus.warnings.push_back(read.warning);
  corpus.documents = [text, words = corpus.convention] {
    return Documents{make_documents({text}), "one document; " + words};
  };
  return finish_corpus(std::move(corpus), context, file.string());
}

}  // namespace wkvq
