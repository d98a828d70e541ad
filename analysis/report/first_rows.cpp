#include "analysis/report/first_rows.h"

#include <sstream>

#include "analysis/report/report.h"
#include "core/base/error.h"

namespace wkvq {

void first_rows(const std::vector<std::filesystem::path>& paths, std::ostream& out) {
  constexpr int kLines = 12;
  std::stringstream table;
  try {
    report_command({.paths = paths}, table);
  } catch (const ConfigError&) {
    return;  // the runs are done all the same; the command that shows all of it says what is wrong
  }
  out << '\n';
  std::string line;
  int lines = 0;
  while (lines < kLines && std::getline(table, line) && !line.empty()) {
    out << line << '\n';
    ++lines;
  }
}

}  // namespace wkvq
