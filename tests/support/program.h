#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "tests/support/catch.h"

namespace wkvq::test {

struct Outcome {
  int code;
  std::string text;
};

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Runs the program itself; what waits for ever counts as a failure after a minute.
inline Outcome program(const std::string& arguments) {
  const std::string command = "timeout 60 " + wkvq_binary() + " " + arguments + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  std::array<char, 4096> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

/// A refusal: exit code 2 and one line that holds all `parts` and no control character.
inline void refuses(const std::string& arguments, const std::vector<std::string>& parts) {
  const Outcome outcome = program(arguments);
  INFO(arguments << "\n" << outcome.text);
  CHECK(outcome.code == 2);
  CHECK(std::count(outcome.text.begin(), outcome.text.end(), '\n') == 1);
  CHECK(outcome.text.find('\x1b') == std::string::npos);
  for (const std::string& part : parts) CHECK(contains(outcome.text, part));
}

}  // namespace wkvq::test
