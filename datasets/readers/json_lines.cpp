#include "datasets/readers/json_lines.h"

#include <algorithm>
#include <string_view>

#include "core/base/error.h"
#include "core/base/json/json.h"
#include "datasets/readers/text_file.h"

namespace wkvq {

JsonLines read_json_lines(const std::filesystem::path& path, int64_t limit) {
  const std::string text = read_utf8_file(path);
  JsonLines lines;
  int64_t number = 0;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line(text.data() + start, end - start);
    start = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    ++lines.in_file;
    if (limit > 0 && lines.in_file > limit) continue;
    const std::string place = fmt::format("{}:{}", path.string(), number);
    nlohmann::json record = parse_json(line, place);
    if (!record.is_object())
      config_error("{}: {}, expected a JSON object", place, record.type_name());
    lines.records.push_back(std::move(record));
    lines.places.push_back(place);
  }
  if (lines.in_file == 0)
    config_error("{}: no records, expected one JSON object a line", path.string());
  return lines;
}

}  // namespace wkvq
