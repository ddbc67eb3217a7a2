from platform_sdk import call_ai, get_input, send_output

send_output(
    call_ai(
        "qwen2.5:1.5b",
        "Summarize in one sentence: " + get_input(),
        options={"num_predict": 60},
    )
)
