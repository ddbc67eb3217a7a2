from platform_sdk import call_ai, get_input, send_output

prompt = "Summarize in one sentence: " + get_input()
answer = call_ai("qwen2.5:1.5b", prompt, options={"num_predict": 60})
send_output(answer)
