// A reader for Varlink interface descriptions, as far as emud's own need it.
// Grammar: https://varlink.org/Interface-Definition
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace emud::test {

struct IdlMember {
  std::string name;
  std::string type;  // "string", "int", "bool" or the name of a type
  bool optional = false;
  bool list = false;
};

using IdlMembers = std::vector<IdlMember>;

struct Idl {
  std::string name;
  std::map<std::string, IdlMembers> types;
  std::map<std::string, IdlMembers> calls;
  std::map<std::string, IdlMembers> replies;
  std::map<std::string, IdlMembers> errors;
};

// Throws std::runtime_error for text that is not a description.
Idl parse_idl(std::string_view text);

}  // namespace emud::test
