#include "experiments/run/sweep_voice.h"

#include <fmt/format.h>

#include <iostream>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"

namespace wkvq {

SweepVoice::SweepVoice(const SweepOptions& options, std::ostream& out)
    : quiet_(options.quiet), out_(out) {
  if (options.log.empty()) return;
  log_.open(options.log, std::ios::app);
  if (!log_) config_error("--log {}: cannot be written; expected a file", options.log.string());
}

void SweepVoice::say(const std::string& line) {
  if (!quiet_) out_ << line << std::endl;
  log(line);
}

void SweepVoice::tell(const std::string& line) {
  out_ << line << std::endl;
  log(line);
}

void SweepVoice::warn(const std::string& text) {
  const std::string line = "wkvq: warning: " + visible_text(text);
  std::cerr << line << std::endl;
  log(line);
}

std::vector<ProgressSink> SweepVoice::sinks() {
  std::vector<ProgressSink> sinks;
  if (!quiet_) sinks.push_back(ProgressSink::standard_error());
  if (log_.is_open()) {
    sinks.push_back(ProgressSink::standard_error());
    sinks.back().out = &log_;
    sinks.back().terminal = false;
  }
  return sinks;
}

void SweepVoice::log(const std::string& line) {
  if (log_.is_open()) log_ << line << std::endl;
}

}  // namespace wkvq
