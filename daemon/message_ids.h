// The journal's message ids of emud: sd_journal_send(3), MESSAGE_ID. units/emud.catalog explains
// each to the administrator (`journalctl -x`); a test holds the two together. None is ever changed
// or used again for something else.
#pragma once

#include <array>
#include <string_view>

namespace emud::message_id {

inline constexpr std::string_view lease_ready = "d392f93a63bf4e6babb9d91f8cbf5265";
inline constexpr std::string_view lease_ended = "683a9fd05a8f4d1ba755f843376f9888";
inline constexpr std::string_view lease_adopted = "f1b033350ec74c9aa30adee235bf08aa";
inline constexpr std::string_view handler_up = "7279e4edec7a4f399b6e375bc0da7070";
inline constexpr std::string_view handler_down = "5c5fb6a47a17420eb3ce69929310ff98";
inline constexpr std::string_view handler_lost = "ee1afa230d2d4865bf22c2a8ae5db0b1";
inline constexpr std::string_view handler_healed = "04b385bbd9d84587aac956aa21ca7c6a";
inline constexpr std::string_view emulator_installed = "5043bf8e6df045f9b31826eed35f3543";
inline constexpr std::string_view emulator_removed = "877b540aa33f4e8f877e78f765f603f7";
inline constexpr std::string_view fault = "0c8675d45e9443548051883c0d0a15e1";
inline constexpr std::string_view granted = "001aaac3a5f746009cec63818ec796a3";
inline constexpr std::string_view refused = "a3edd9495731437496afa8ba3401dcdf";
inline constexpr std::string_view failed = "7259e9f822884db886afaa1beaa93efc";

inline constexpr std::array all{
    lease_ready,    lease_ended,        lease_adopted,    handler_up, handler_down, handler_lost,
    handler_healed, emulator_installed, emulator_removed, fault,      granted,      refused,
    failed};

}  // namespace emud::message_id
