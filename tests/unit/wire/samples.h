// One message of every kind with every member set, and its JSON. The golden files and the interface
// descriptions are held against these.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "wire/messages.h"

namespace emud::test {

struct Sample {
  std::string name;       // of the struct, and of the golden file
  std::string interface;  // "io.emud.Manager"
  std::string idl_name;   // of the type or method in the interface
  std::string json;       // to_json of the sample
  // from_json and to_json again: the same text, or the error.
  std::function<Result<std::string>(const std::string&)> reread;
};

const std::vector<Sample>& samples();

// Where the arguments are UTF-8, and where they are not.
wire::RunCall utf8_run_call();
wire::RunCall binary_run_call();

}  // namespace emud::test
