#pragma once

#include <fstream>
#include <iosfwd>
#include <string>
#include <vector>

#include "core/base/run/progress.h"
#include "experiments/run/sweep_options.h"

namespace wkvq {

/// What a sweep says and where: `out`, standard error and the log of the options, which has all of
/// it in plain lines.
class SweepVoice {
 public:
  /// Appends to the log. ConfigError where it cannot be written.
  SweepVoice(const SweepOptions& options, std::ostream& out);

  /// What is being done; not where the options say quiet.
  void say(const std::string& line);
  /// What came of it.
  void tell(const std::string& line);
  void warn(const std::string& text);
  /// Where progress goes.
  std::vector<ProgressSink> sinks();
  std::ostream& out() { return out_; }

 private:
  void log(const std::string& line);

  bool quiet_;
  std::ostream& out_;
  std::ofstream log_;
};

}  // namespace wkvq
