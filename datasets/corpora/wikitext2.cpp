#include "datasets/corpora/wikitext2.h"

#include <fmt/ranges.h>

#include <array>

#include "core/base/checkpoint/model_path.h"
#include "core/base/error.h"
#include "datasets/corpora/documents.h"
#include "datasets/corpora/wikitext_pages.h"
#include "datasets/readers/text_file.h"

namespace wkvq {

namespace {

const std::vector<std::string> kSplits = {"test", "validation", "train"};
const std::array<std::string, 3> kFileSplits = {"test", "valid", "train"};

std::string join_rows(const std::vector<std::string>& rows) {
  std::string text = rows.front();
  for (size_t i = 1; i < rows.size(); ++i) text += "\n\n" + rows[i];
  return text;
}

}  // namespace

std::string join_wikitext_rows(std::string_view raw) {
  std::string text;
  for (size_t start = 0; start < raw.size();) {
    const size_t end = std::min(raw.find('\n', start), raw.size() - 1) + 1;
    const std::string_view row = raw.substr(start, end - start);
    if (start > 0) text += "\n\n";
    if (row.find_first_not_of(" \t\r\n\v\f") != std::string_view::npos) text += row;
    start = end;
  }
  return text;
}

void WikiText2Dataset::visit(OptionVisitor& v) {
  v("path", path_, "wiki.test.raw as published, rows as .jsonl (field text), or their folder");
  v.choice("split", split_, kSplits, "which split");
  v.choice("bos", bos_, bos_rule_names(),
           "BOS as the tokenizer's files ask, none, or one at the start");
  if (path_.empty()) v.reject("path", "expected a file or folder");
}

std::string WikiText2Dataset::summary() const {
  return "WikiText-2 raw, rows joined by blank lines as in the GPTQ tables";
}

std::string WikiText2Dataset::label() const {
  return split_ == Split::kTest ? "wikitext2" : "wikitext2-" + split_name();
}

const std::string& WikiText2Dataset::split_name() const {
  return kSplits[static_cast<size_t>(split_)];
}

std::filesystem::path WikiText2Dataset::find_file() const {
  const std::string& in_file = kFileSplits[static_cast<size_t>(split_)];
  const std::filesystem::path path = expand_home(path_);
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    const std::vector<std::string> names = {
        "wiki." + in_file + ".raw", "wikitext2." + in_file + ".raw.txt", split_name() + ".jsonl"};
    for (const std::string& name : names) {
      if (std::filesystem::exists(path / name, error)) return path / name;
    }
    config_error("{}: none of {} in this folder", path_, fmt::join(names, ", "));
  }
  // A wrong split would go into every table under the name of another.
  const std::string name = path.filename().string();
  for (const std::string& other : kFileSplits) {
    if (name.find(in_file) == std::string::npos && name.find(other) != std::string::npos) {
      config_error("{} looks like split {}, but the split asked for is {}", path_, other,
                   split_name());
    }
  }
  return path;
}

Documents WikiText2Dataset::load_pages(const std::filesystem::path& file) const {
  PlainText read;
  if (file.extension() == ".jsonl")
    for (const std::string& row : read_jsonl(file, "text", 0))
      read.text += row.empty() ? " \n" : row;
  else
    read = read_plain_text(file);
  Documents pages;
  for (const std::string& page : wikitext_pages(read.text))
    pages.items.push_back(make_document(detokenize_wikitext(page), page));
  pages.convention = fmt::format(
      "WikiText-2 raw {}: {} pages, detokenized as lm-evaluation-harness's task wikitext does, "
      "words "
      "and bytes of the original pages{}",
      split_name(), pages.items.size(), read.note);
  return pages;
}

Corpus WikiText2Dataset::load(const DatasetContext& context) const {
  const std::filesystem::path file = find_file();
  PlainText read;
  if (file.extension() == ".jsonl") {
    read.text = join_rows(read_jsonl(file, "text", 0));
  } else {
    read = read_plain_text(file);
    read.text = join_wikitext_rows(read.text);
  }
  Corpus corpus;
  if (!read.warning.empty()) corpus.warnings.push_back(read.warning);
  corpus.stream = encode_text(context, read.text, bos_);
  corpus.convention = fmt::format(
      "WikiText-2 raw {}: rows (lines with their line feed, blank ones empty) joined "
      "by \"\\n\\n\"{}, tokenized once, {}",
      split_name(), read.note, bos_words(context, bos_));
  corpus.documents = [self = *this, file] { return self.load_pages(file); };
  return finish_corpus(std::move(corpus), context, file.string());
}

}  // namespace wkvq
