# Built with the preset fuzz, alone: clang takes its time for instrumented code.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "EMUD_FUZZ needs clang: use the preset fuzz, or configure with -DCMAKE_CXX_COMPILER=clang++-19")
endif()

# What is fuzzed and what that needs, and nothing else of the libraries. One compilation a folder.
set(fuzzed
    common/arch/architecture.cc
    common/arch/compound_name.cc
    common/arch/elf.cc
    common/base/file.cc
    common/base/paths.cc
    common/base/result.cc
    common/base/unique_fd.cc
    common/binfmt/rule.cc
    common/emulator/catalog.cc
    common/emulator/catalog_json.cc
    common/emulator/catalog_parse.cc
    common/emulator/digest.cc
    common/emulator/interpreter.cc
    common/emulator/manifest.cc
    common/emulator/notes.cc
    common/emulator/url.cc
    common/emulator/version.cc
    common/wire/channel.cc
    common/wire/envelope.cc
    common/wire/errors.cc
    common/wire/fields.cc
    common/wire/json_text.cc
    common/wire/messages_keeper.cc
    common/wire/messages_manager.cc
    common/wire/messages_run.cc
    daemon/config_file.cc
    daemon/options.cc)
list(TRANSFORM fuzzed PREPEND ${PROJECT_SOURCE_DIR}/)
add_library(emud_fuzzed STATIC ${fuzzed})
foreach(source IN LISTS fuzzed)
  cmake_path(GET source PARENT_PATH folder)
  cmake_path(GET folder FILENAME folder)
  set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder})
endforeach()
set_target_properties(emud_fuzzed PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
target_include_directories(
  emud_fuzzed PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/common ${PROJECT_SOURCE_DIR}/tests
                     ${PROJECT_BINARY_DIR}/daemon/generated)
target_link_libraries(emud_fuzzed PUBLIC fmt::fmt OpenSSL::Crypto nlohmann_json::nlohmann_json CLI11::CLI11)
# clang warns of deprecated functions within libstdc++ (GCC knows that they are its own).
target_compile_options(emud_fuzzed PRIVATE -Wno-shadow -Wno-deprecated-declarations -fsanitize=fuzzer-no-link)

add_custom_target(fuzz_programs)
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_*.cc)
foreach(source IN LISTS sources)
  get_filename_component(program ${source} NAME_WE)
  string(REGEX REPLACE "^fuzz_" "" name ${program})
  add_executable(${program} ${source})
  target_link_libraries(${program} PRIVATE emud_fuzzed)
  target_compile_options(${program} PRIVATE -fsanitize=fuzzer)
  target_link_options(${program} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
  add_dependencies(fuzz_programs ${program})
  add_test(NAME fuzz.${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/run ${PROJECT_BINARY_DIR}/fuzz ${name})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 604800)  # the script has a time limit itself
endforeach()
