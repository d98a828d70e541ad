#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "datasets/corpora/dataset.h"

namespace wkvq {

/// Words of valid UTF-8 `text` as Python's len(re.split(r"\s+", text)) counts them: runs of white
/// space (Python's, which takes U+001C..U+001F in) plus one, so that white space at either end
/// counts an empty word, and an empty text one.
int64_t count_words(std::string_view text);

/// `text` without Python's white space at both ends.
std::string_view strip_space(std::string_view text);

/// `text` to be scored, with the words and bytes of `original`.
Document make_document(std::string text, std::string_view original);
/// Each text is its own original.
std::vector<Document> make_documents(std::vector<std::string> texts);

}  // namespace wkvq
