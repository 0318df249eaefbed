# Makes the status page's C file: page.html with page.css and page.js put in, and the policy that allows these two.
#
#	cmake -D OUTPUT=FILE -P embed.cmake

# The base64 form of a hexadecimal text, as Content-Security-Policy writes hashes.
function(base64 hex result)
    set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    set(text "")
    string(LENGTH "${hex}" length)
    foreach(at RANGE 0 ${length} 6)
        if(at EQUAL length)
            break()
        endif()
        string(SUBSTRING "${hex}00000" ${at} 6 three_bytes)
        foreach(shift 18 12 6 0)
            math(EXPR index "(0x${three_bytes} >> ${shift}) & 63")
            string(SUBSTRING "${alphabet}" ${index} 1 letter)
            string(APPEND text "${letter}")
        endforeach()
    endforeach()
    math(EXPR missing "(6 - ${length} % 6) % 6 / 2")
    string(LENGTH "${text}" length)
    math(EXPR length "${length} - ${missing}")
    string(SUBSTRING "${text}" 0 ${length} text)
    string(REPEAT "=" ${missing} padding)
    set(${result} "${text}${padding}" PARENT_SCOPE)
endfunction()

# Puts a file in place of its name in braces, and tells the file's hash.
function(put_in name result)
    file(READ "${CMAKE_CURRENT_LIST_DIR}/${name}" content HEX)
    string(HEX "{${name}}" place)
    string(FIND "${page}" "${place}" found)
    if(found EQUAL -1)
        message(FATAL_ERROR "page.html has no place for ${name}")
    endif()
    string(REPLACE "${place}" "${content}" page "${page}")
    set(page "${page}" PARENT_SCOPE)
    file(SHA256 "${CMAKE_CURRENT_LIST_DIR}/${name}" hash)
    base64("${hash}" hash)
    set(${result} "'sha256-${hash}'" PARENT_SCOPE)
endfunction()

file(READ "${CMAKE_CURRENT_LIST_DIR}/page.html" page HEX)
put_in(page.css style)
put_in(page.js script)
string(REGEX REPLACE "(................................)" "\\1\n" page "${page}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1, " page "${page}")
file(WRITE "${OUTPUT}" "#include \"status/page.h\"

const char page_policy[] =
	\"default-src 'none'; style-src ${style}; script-src ${script}; \"
	\"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \"
	\"frame-ancestors 'none'\";

const unsigned char page_html[] = {
${page}
};
const size_t page_html_length = sizeof(page_html);
")
